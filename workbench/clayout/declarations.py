"""Declarations inside and outside of structs: specifiers, declarators, structs, unions and enums.

Rule: accept what has exactly one layout per ABI; refuse everything else with its line, ignore nothing.

Source: C11 6.7 (declarations); gcc manual, "Attribute Syntax", for what an attribute applies to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from workbench.clayout import tree
from workbench.clayout.abi import Abi, align_of, size_of
from workbench.clayout.attributes import ALLOWED as ALLOWED_ATTRIBUTES
from workbench.clayout.attributes import INERT, AttributeReader, Attributes
from workbench.clayout.constants import constant
from workbench.clayout.declarators import AGGREGATES, DeclaratorReader, Incomplete, Known, spelled
from workbench.clayout.enums import packed_sizes, read_enumerators
from workbench.clayout.kernel_types import STRUCTS
from workbench.clayout.members import check_members
from workbench.clayout.reader import Cursor
from workbench.clayout.text import HUNK, Line, Token, refuse
from workbench.clayout.tree import CMember, CScalar, CStruct, CType
from workbench.errors import LayoutError

_ASSERTS = ("static_assert", "_Static_assert")


@dataclass(slots=True)
class Specifiers:
    """What stands before the declarators; ``defines`` says that there was a struct, union or enum body."""

    type: Known
    attributes: Attributes
    defines: bool
    tag: str = ""


class Declarations:
    """Reads declarations at a cursor for one ABI, and keeps the names that they define."""

    def __init__(self, cursor: Cursor, abi: Abi) -> None:
        self._cursor = cursor
        self._abi = abi
        self.tags: dict[str, CStruct] = {}
        self.typedefs: dict[str, Known] = {}
        self.left_out: dict[str, str] = {}
        self.pack = 0
        self.doubt = ""  # why no layout is certain from here on
        self._constants: dict[str, int] = {}
        self._enums: dict[str, CScalar] = {}
        self.annotations = AttributeReader(cursor, self)
        self._declarators = DeclaratorReader(cursor, self.annotations, self)

    # ---- names in constants

    def enumerator(self, name: str) -> int | None:
        return self._constants.get(name)

    def is_type(self, cursor: Cursor) -> bool:
        """Does the name of a type begin here? The name of a member may be that of a typedef, but not in a constant."""
        word = cursor.token.text
        return cursor.token.kind == "name" and (
            word in (*AGGREGATES, "enum", "void", *INERT) or self._words_of(word) is not None
            or word in self.typedefs or word in tree.NAMED or word in tree.KERNEL
        )  # fmt: skip

    def type_size(self, cursor: Cursor) -> tuple[int, int]:
        """Read a type without a name, as in sizeof; return its size and alignment in bytes."""
        line = cursor.line
        name, kind = self._declarators.read(self.specifiers().type)
        if name is not None or isinstance(kind, Incomplete):
            refuse(line, f"{spelled(kind)} {kind.why if isinstance(kind, Incomplete) else 'is no type'}")
        return size_of(kind, self._abi), align_of(kind, self._abi)

    # ---- types

    def specifiers(self) -> Specifiers:
        """Read the part of a declaration before its declarators."""
        cursor = self._cursor
        found: Known | None = None
        words: list[str] = []
        attributes, defines, tag = Attributes(), False, ""
        while cursor.token.kind == "name":
            word = cursor.token.text
            if self.annotations.one(attributes):
                continue
            standard = self._words_of(word)
            if standard is not None and found is None:
                words.append(standard)
                cursor.take()
            elif found is not None or words:
                break
            elif word in AGGREGATES:
                found, defines, tag = self._aggregate(cursor.take().text)
            elif word == "enum":
                found, defines = self._enum()
            else:
                found = self._named(cursor.take())
        return Specifiers(found if found is not None else self._standard(words), attributes, defines, tag)

    def _words_of(self, word: str) -> str | None:
        word = tree.SAME_WORDS.get(word, word)
        return word if word in tree.STANDARD_WORDS else None

    def _standard(self, words: list[str]) -> CScalar:
        kind = tree.STANDARD.get(" ".join(sorted(words)))
        if not words:
            self._cursor.refuse(f"expected a type, found {self._cursor.found()}")
        if kind is None or not kind.sizes[self._abi.column]:
            self._cursor.refuse(f"'{' '.join(words)}' is not a C type{'' if kind is None else ' on i386'}")
        return kind

    def _named(self, token: Token) -> Known:
        word = token.text
        if word == "void":
            return Incomplete("void")
        if word in self.left_out:
            refuse(token.line, f"{word} is left out: {self.left_out[word]}")
        kind = self.typedefs.get(word) or tree.NAMED.get(word) or tree.KERNEL.get(word)
        if isinstance(kind, Incomplete):
            return self._completed(kind)
        return kind or refuse(
            token.line,
            f"unknown type or attribute {word} (allowed: __u8 to __u64, __s8 to __s64, u8, uint8_t, __le16, "
            "__be16 and so on, C integers, bool, enum, pointers, typedefs and structs of the text)",
        )

    def _completed(self, kind: Incomplete) -> Known:
        """A struct that a typedef mentioned before its definition."""
        return self.tags.get(kind.tag, kind)

    def _aggregate(self, kind: str) -> tuple[Known, bool, str]:
        cursor, line = self._cursor, self._cursor.line
        attributes = self.annotations.all()
        tag = cursor.take().text if cursor.token.kind == "name" else ""
        if not cursor.accept("{"):
            return self._mentioned(kind, tag, line, attributes), False, tag
        if self.doubt:
            raise LayoutError(self.doubt)
        pack = self.pack
        with cursor.nested("structs"):
            members = self._members(f"{kind} {tag}".rstrip(), line)
        self.annotations.all(attributes)
        made = CStruct(kind, tag, members, attributes.packed, attributes.align, line, pack)
        if tag and self.tags.setdefault(tag, made) != made:
            refuse(line, f"{kind} {tag} is defined twice, differently")
        return made, True, tag

    def _mentioned(self, kind: str, tag: str, line: Line, attributes: Attributes) -> Known:
        if attributes:
            refuse(line, f"attribute on a mention of {kind} {tag} (allowed: where it is defined)")
        known = self.tags.get(tag) or (STRUCTS.get(tag) if tag not in self.left_out else None)
        if known and known.kind != kind:
            refuse(line, f"{tag} is a {known.kind}, not a {kind}")
        return known or Incomplete(f"{kind} {tag}", tag=tag)

    def _enum(self) -> tuple[CScalar, bool]:
        cursor = self._cursor
        cursor.expect("enum", "")
        attributes = self.annotations.all()
        tag = cursor.take().text if cursor.token.kind == "name" else ""
        base = self._underlying() if cursor.token.text == ":" else None
        if not cursor.accept("{"):
            if tag in self.left_out:
                cursor.refuse(f"enum {tag} is left out: {self.left_out[tag]}")
            if attributes:
                refuse(attributes.line, f"attribute on a mention of enum {tag} (allowed: where it is defined)")
            return self._enums.get(tag) or replace(base or tree.ENUM, spelling=f"enum {tag}".rstrip()), False
        values = read_enumerators(cursor, self, self._constants, tag, base)
        self.annotations.all(attributes)
        if attributes.align or (attributes.packed and base):
            refuse(attributes.line, "attribute on an enum (allowed: packed)")
        kind = replace(base or replace(tree.ENUM, signed=values[0] < 0), spelling=f"enum {tag}".rstrip())
        if attributes.packed:
            kind = replace(kind, sizes=packed_sizes(values))
        self._enums[tag] = kind
        return kind, True

    def _underlying(self) -> CScalar | None:
        """Read the type after ``enum e :`` (C23 6.7.3.3); the width of a bit-field may stand there instead."""
        start = self._cursor.position
        self._cursor.take()
        if not self.is_type(self._cursor):
            self._cursor.step_back(start)
            return None
        line, kind = self._cursor.line, self.specifiers().type
        if not isinstance(kind, CScalar) or kind.kind not in ("int", "char", "bool"):
            refuse(line, "an enum of a type that is no integer")
        return kind

    # ---- members

    def _members(self, where: str, opened: Line) -> tuple[CMember, ...]:
        cursor = self._cursor
        members: list[CMember] = []
        while not cursor.accept("}"):
            self._refuse_uncertain(where, opened)
            if cursor.accept(*_ASSERTS):
                cursor.skip_group()
            elif not cursor.accept(";"):
                members.extend(self._member(where))
        check_members(members, where)
        return tuple(members)

    def _refuse_uncertain(self, where: str, opened: Line) -> None:
        """Refuse what may hide members or change their places."""
        cursor = self._cursor
        if cursor.token.kind == "boundary":
            hunk = "members may be missing between hunks, paste the whole struct"
            other = "this condition is not certain, keep one branch or give --define NAME"
            cursor.refuse(f"{cursor.token.text} inside {where}: {hunk if cursor.token.text == HUNK else other}")
        if cursor.token.kind == "pragma":
            cursor.refuse(f"#pragma {cursor.token.text} inside {where} (allowed: #pragma pack outside)")
        if cursor.token.kind == "end":
            cursor.refuse(f"{where} of line {opened} is not closed (expected '}}')")

    def _member(self, where: str) -> Iterator[CMember]:
        """The members of one declaration, read up to and including its semicolon."""
        cursor = self._cursor
        found = self.specifiers()
        if cursor.token.text == ";" and isinstance(found.type, CStruct):
            if found.type.tag or not found.defines:
                cursor.refuse(f"{found.type.kind} {found.type.tag} without a member name, or a '}}' is missing above")
        elif cursor.token.text == ";":
            cursor.refuse("declaration without a member name")
        yield self.declarator(found)
        while cursor.accept(","):
            yield self.declarator(found)
        if cursor.token.kind == "name":
            cursor.refuse(f"unknown attribute {cursor.token.text} (allowed: {ALLOWED_ATTRIBUTES})")
        cursor.expect(";", f"after a member of {where}")

    def declarator(self, found: Specifiers) -> CMember:
        """Read one declarator with its attributes; a type without a size is refused."""
        cursor, line = self._cursor, self._cursor.line
        own = Attributes(found.attributes.packed, found.attributes.align)
        name, kind = self._declarators.read(found.type)
        if isinstance(kind, Incomplete):
            tag = kind.tag
            why = f"{kind.why} (allowed: a pointer to it)"
            refuse(line, f"{kind.spelling} {f'is left out: {self.left_out[tag]}' if tag in self.left_out else why}")
        width = self._width(kind, name) if cursor.accept(":") else None
        anonymous = kind is found.type and isinstance(kind, CStruct) and not kind.tag
        if name is None and width is None and not anonymous:
            cursor.refuse(f"expected a member name, found {cursor.found()}")
        self.annotations.all(own)
        if width is not None and own.align:
            refuse(line, "aligned on a bit-field (allowed: packed)")
        return CMember(name, kind, width, own.packed, own.align, line)

    def typedef_declarator(self, kind: Known, own: Attributes) -> tuple[str | None, Known]:
        """Read the name that a typedef defines and its type; attributes behind it go to ``own``."""
        name, found = self._declarators.read(kind)
        if self._cursor.accept(":"):
            self._cursor.refuse("typedef of a bit-field")
        self.annotations.all(own)
        return name, found

    def _width(self, kind: CType, name: str | None) -> int:
        line = self._cursor.line
        width = constant(self._cursor, self)
        if not isinstance(kind, CScalar) or kind.kind in ("pointer", "raw"):
            refuse(line, "bit-field that is not an integer")
        if kind.big_endian or kind.align:
            refuse(line, f"bit-field of type {kind.spelling} (allowed: plain integer types)")
        most = 1 if kind.kind == "bool" else 8 * kind.sizes[self._abi.column]
        if not (0 if name is None else 1) <= width <= most:
            what = f"{kind.spelling} {name or '(unnamed)'}"
            refuse(line, f"bit-field width {width} of {what} (allowed: up to {most})")
        return width
