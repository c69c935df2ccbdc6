"""The parser: from the tokens of C text to the structs, unions, enums and typedefs that it declares.

Rule: accept what has exactly one layout per ABI; refuse everything else with its line number, ignore nothing.

Source: C11 6.7 (declarations); gcc manual, "Attribute Syntax", for what an attribute applies to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from workbench.clayout import tree
from workbench.clayout.attributes import ALLOWED as ALLOWED_ATTRIBUTES
from workbench.clayout.attributes import INERT, AttributeReader, Attributes
from workbench.clayout.reader import Cursor, constant
from workbench.clayout.text import HUNK, refuse, tokens_of
from workbench.clayout.tree import CArray, CMember, CScalar, CStruct, CType

_AGGREGATES = ("struct", "union")


@dataclass(frozen=True, slots=True)
class _Incomplete:
    """`void`, or a struct that the text does not define: only a pointer to it has a known layout."""

    spelling: str


@dataclass(slots=True)
class _Specifiers:
    type: CType | _Incomplete
    attributes: Attributes
    defines: bool  # there was a struct, union or enum body


def parse(text: str) -> dict[str, CStruct]:
    """The structs and unions of ``text`` by tag or typedef name, file-scope ones in order of definition.

    Raises LayoutError with the line number for anything whose layout is not certain.
    """
    return _Parser(Cursor(tokens_of(text))).file()


class _Parser:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._tags: dict[str, CStruct] = {}
        self._typedefs: dict[str, CType] = {}
        self._constants: dict[str, int] = {}
        self._annotations = AttributeReader(cursor, self._constants)
        self._enums: dict[str, CScalar] = {}
        self._found: dict[str, CStruct] = {}

    # ---- file scope

    def file(self) -> dict[str, CStruct]:
        while self._cursor.token.kind != "end":
            if self._cursor.token.kind == "boundary":
                self._cursor.take()
            elif not self._cursor.accept(";"):
                self._file_scope()
        nested = {name: tree for name, tree in self._tags.items() if name not in self._found}
        return {**nested, **self._found}

    def _file_scope(self) -> None:
        cursor, line = self._cursor, self._cursor.line
        if cursor.accept("typedef"):
            self._typedef()
            return
        if cursor.token.text not in (*_AGGREGATES, "enum"):
            cursor.refuse(
                f"{cursor.found()} stands outside of a struct "
                "(allowed there: struct, union, enum and typedef definitions)"
            )
        found = self._specifiers()
        if cursor.token.kind != "end":
            cursor.expect(";", "after a definition (variables are not layouts)")
        if isinstance(found.type, CStruct) and found.defines:
            if not found.type.tag:
                refuse(line, f"this {found.type.kind} needs a name")
            self._publish(found.type.tag, found.type)

    def _publish(self, name: str, tree: CStruct) -> None:
        """Make ``tree`` the text's last struct."""
        self._found.pop(name, None)
        self._found[name] = tree

    def _typedef(self) -> None:
        cursor, line = self._cursor, self._cursor.line
        specifiers = self._specifiers()
        member = self._declarator(specifiers)
        cursor.expect(";", "after a typedef")
        if member.name is None or member.width is not None:
            refuse(line, "typedef without a name")
        kind = member.type
        if member.packed or (member.align and not isinstance(kind, CScalar)):
            refuse(line, "attribute on a typedef (allowed: aligned, on an integer type)")
        if isinstance(kind, CScalar):
            kind = replace(kind, spelling=member.name, align=member.align or kind.align)
        if isinstance(kind, CStruct) and specifiers.defines:
            kind = kind if kind.tag else replace(kind, tag=member.name)
            self._publish(member.name, kind)
        if member.name in tree.NAMED and self._same(member.name, kind):
            return
        if self._typedefs.setdefault(member.name, kind) != kind or member.name in tree.NAMED:
            refuse(line, f"typedef {member.name} differs from what {member.name} means already")

    @staticmethod
    def _same(name: str, kind: CType) -> bool:
        """Does a typedef of a known name repeat the known meaning? (`typedef unsigned int __u32;`)"""
        known = tree.NAMED[name]
        return isinstance(kind, CScalar) and replace(kind, spelling=name, kind=known.kind) == known

    # ---- types

    def _specifiers(self) -> _Specifiers:
        """Read the part of a declaration before its declarators."""
        cursor = self._cursor
        found: CType | _Incomplete | None = None
        words: list[str] = []
        attributes, defines = Attributes(), False
        while cursor.token.kind == "name":
            word = cursor.token.text
            if self._annotations.one(attributes):
                continue
            if word in tree.STANDARD_WORDS and found is None:
                words.append(cursor.take().text)
            elif found is not None or words:
                break
            elif word in _AGGREGATES:
                found, defines = self._aggregate(cursor.take().text)
            elif word == "enum":
                found, defines = self._enum()
            else:
                found = self._named(cursor.take().text)
        kind = found if found is not None else self._standard(words)
        return _Specifiers(kind, attributes, defines)

    def _standard(self, words: list[str]) -> CScalar:
        kind = tree.STANDARD.get(" ".join(sorted(words)))
        if not words:
            self._cursor.refuse(f"expected a type, found {self._cursor.found()}")
        return kind or self._cursor.refuse(f"'{' '.join(words)}' is not a C type")

    def _named(self, word: str) -> CType | _Incomplete:
        if word == "void":
            return _Incomplete("void")
        kind = self._typedefs.get(word) or tree.NAMED.get(word)
        return kind or self._cursor.refuse(
            f"unknown type or attribute {word} (allowed: __u8 to __u64, __s8 to __s64, u8, uint8_t, __le16, "
            "__be16 and so on, C integers, bool, enum, pointers, typedefs and structs of the text)"
        )

    def _aggregate(self, kind: str) -> tuple[CStruct | _Incomplete, bool]:
        cursor, line = self._cursor, self._cursor.line
        attributes = self._annotations.all()
        tag = cursor.take().text if cursor.token.kind == "name" else ""
        if not cursor.accept("{"):
            if attributes:
                refuse(line, f"attribute on a mention of {kind} {tag} (allowed: where it is defined)")
            known = self._tags.get(tag)
            if known and known.kind != kind:
                refuse(line, f"{tag} is a {known.kind}, not a {kind}")
            return known or _Incomplete(f"{kind} {tag}"), False
        with cursor.nested("structs"):
            members = self._members(f"{kind} {tag}".rstrip(), line)
        self._annotations.all(attributes)
        tree = CStruct(kind, tag, members, attributes.packed, attributes.align, line)
        if tag and self._tags.setdefault(tag, tree) != tree:
            refuse(line, f"{kind} {tag} is defined twice, differently")
        return tree, True

    def _enum(self) -> tuple[CScalar, bool]:
        cursor = self._cursor
        cursor.expect("enum", "")
        tag = cursor.take().text if cursor.token.kind == "name" else ""
        if not cursor.accept("{"):
            return self._enums.get(tag) or replace(tree.ENUM, spelling=f"enum {tag}".rstrip()), False
        value, lowest = -1, 0
        while not cursor.accept("}"):
            name = cursor.name("an enumerator")
            value = constant(cursor, self._constants) if cursor.accept("=") else value + 1
            lowest = min(lowest, value)
            if not -(1 << 31) <= value < 1 << (31 if lowest < 0 else 32):
                cursor.refuse(f"enumerator {name} does not fit 32 bits, the size of the enum is not certain")
            if self._constants.setdefault(name, value) != value:
                cursor.refuse(f"enumerator {name} has two values")
            if not cursor.accept(",") and cursor.token.text != "}":
                cursor.refuse(f"expected ',' or '}}' in enum {tag}, found {cursor.found()}")
        if attributes := self._annotations.all():
            refuse(attributes.line, "attribute on an enum (allowed: none)")
        kind = replace(tree.ENUM, spelling=f"enum {tag}".rstrip(), signed=lowest < 0)
        self._enums[tag] = kind
        return kind, True

    # ---- members

    def _members(self, where: str, opened: int) -> tuple[CMember, ...]:
        cursor = self._cursor
        members: list[CMember] = []
        while not cursor.accept("}"):
            if cursor.token.kind == "boundary":
                hunk = "members may be missing between hunks, paste the whole struct"
                why = hunk if cursor.token.text == HUNK else "conditions are not evaluated, keep one branch"
                cursor.refuse(f"{cursor.token.text} inside {where}: {why}")
            if cursor.token.kind == "end":
                cursor.refuse(f"{where} of line {opened} is not closed (expected '}}')")
            if not cursor.accept(";"):
                members.extend(self._member(where))
        self._check_names(members, where)
        return tuple(members)

    def _member(self, where: str) -> Iterator[CMember]:
        """The members of one declaration, read up to and including its semicolon."""
        cursor = self._cursor
        specifiers = self._specifiers()
        if cursor.token.text == ";" and isinstance(specifiers.type, CStruct):
            if specifiers.type.tag or not specifiers.defines:
                cursor.refuse(f"{specifiers.type.kind} {specifiers.type.tag} without a member name")
        elif cursor.token.text == ";":
            cursor.refuse("declaration without a member name")
        yield self._declarator(specifiers)
        while cursor.accept(","):
            yield self._declarator(specifiers)
        if cursor.token.kind == "name":
            cursor.refuse(f"unknown attribute {cursor.token.text} (allowed: {ALLOWED_ATTRIBUTES})")
        cursor.expect(";", f"after a member of {where}")

    def _declarator(self, specifiers: _Specifiers) -> CMember:
        cursor, line = self._cursor, self._cursor.line
        own = Attributes(specifiers.attributes.packed, specifiers.attributes.align)
        kind, pointed = specifiers.type, False
        while cursor.accept("*"):
            target = kind.spelling if isinstance(kind, _Incomplete) else tree.spelling(kind)
            spelled = f"{target} *".replace("* *", "**")
            kind, pointed = CScalar(spelled, tree.POINTER_SIZES, kind="pointer"), True
            while cursor.accept(*INERT):
                pass
        if cursor.token.text == "(":
            cursor.refuse("function or array pointer (allowed: write it as void *)")
        name = cursor.take().text if cursor.token.kind == "name" and not self._annotations.ahead() else None
        if isinstance(kind, _Incomplete):
            why = "has no size" if kind.spelling == "void" else "is not in the text"
            refuse(line, f"{kind.spelling} {why} (allowed: a pointer to it)")
        kind = self._dimensions(kind)
        width = self._width(kind, name) if cursor.accept(":") else None
        if name is None and width is None and (pointed or not isinstance(kind, CStruct) or kind.tag):
            cursor.refuse(f"expected a member name, found {cursor.found()}")
        self._annotations.all(own)
        if width is not None and own.align:
            refuse(line, "aligned on a bit-field (allowed: packed)")
        return CMember(name, kind, width, own.packed, own.align, line)

    def _dimensions(self, kind: CType) -> CType:
        counts: list[int | None] = []
        while self._cursor.accept("["):
            line = self._cursor.line
            count = None if self._cursor.token.text == "]" else constant(self._cursor, self._constants)
            self._cursor.expect("]", "after an array size")
            if count is not None and count < 0:
                refuse(line, f"array of {count} elements")
            if counts and not count:  # only x[][2], never x[2][]
                refuse(line, "only the first dimension of an array may be open or 0")
            counts.append(count)
        for count in reversed(counts):
            kind = CArray(kind, count)
        return kind

    def _width(self, kind: CType, name: str | None) -> int:
        line = self._cursor.line
        width = constant(self._cursor, self._constants)
        if not isinstance(kind, CScalar) or kind.kind == "pointer":
            refuse(line, "bit-field that is not an integer")
        if kind.big_endian or kind.align:
            refuse(line, f"bit-field of type {kind.spelling} (allowed: plain integer types)")
        most = 1 if kind.kind == "bool" else 8 * min(kind.sizes)
        if not (0 if name is None else 1) <= width <= most:
            what = f"{kind.spelling} {name or '(unnamed)'}"
            refuse(line, f"bit-field width {width} of {what} (allowed: up to {most})")
        return width

    def _check_names(self, members: list[CMember], where: str) -> None:
        seen: set[str] = set()
        for name, line in _names(members):
            if name in seen:
                refuse(line, f"member {name} stands twice in {where}")
            seen.add(name)
        if where.startswith("union") and any(_flexible(m) for m in members):
            refuse(members[0].line, f"array without a size in {where}")
        for member in members[:-1]:
            if _flexible(member):
                refuse(member.line, f"{member.name}[] must be the last member of {where}")
        if len(seen) == 1 and _flexible(members[-1]):
            refuse(members[-1].line, f"{members[-1].name}[] is the only member of {where}")


def _flexible(member: CMember) -> bool:
    return isinstance(member.type, CArray) and member.type.count is None


def _names(members: list[CMember] | tuple[CMember, ...]) -> Iterator[tuple[str, int]]:
    """Names visible in a struct, including those in its anonymous members, with their lines."""
    for member in members:
        if member.name is not None:
            yield member.name, member.line
        elif isinstance(member.type, CStruct):
            yield from _names(member.type.members)
