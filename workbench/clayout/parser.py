"""The parser: from the tokens of C text to the structs and unions that it defines, and to what it leaves out.

Rule: a definition that cannot be read is left out with its reason, and so is each one that needs it. Prototypes,
functions, variables and words between definitions are no layouts, and are skipped.

Source: C11 6.9 (external definitions); gcc manual, "Structure-Layout Pragmas".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from workbench.clayout import tree
from workbench.clayout.abi import Abi
from workbench.clayout.attributes import Attributes
from workbench.clayout.declarations import Declarations
from workbench.clayout.declarators import AGGREGATES, Incomplete, Known
from workbench.clayout.reader import Cursor
from workbench.clayout.text import Line, Token, refuse, told
from workbench.clayout.tree import CScalar, CStruct
from workbench.errors import LayoutError

MOST_LEFT_OUT = 1000
_PACK = re.compile(r"pack\s*\(\s*(push|pop)?\s*,?\s*(\d+)?\s*\)$")
_STORAGE = frozenset({"extern", "static", "inline", "__inline__", "__inline", "asm", "__asm__", "_Static_assert"})
_OUTSIDE = "stands outside of a struct (allowed there: struct, union, enum and typedef definitions)"


class LeftOut(NamedTuple):
    """A definition that cannot be read: its names (none for code outside of any), and the reason, with its line."""

    names: tuple[str, ...]
    line: Line
    reason: str

    @property
    def told(self) -> str:
        """Both as one text, such as ``a_t: line 3: unknown type``."""
        return f"{', '.join(self.names)}: {self.reason}" if self.names else self.reason


@dataclass(slots=True)
class Parsed:
    """What a text defines for one ABI.

    ``structs`` are those of the text itself at file scope, in order; ``others`` are nested ones, other names of a
    struct, and those of included headers. ``words`` is the reason against the first thing that is no definition.
    """

    structs: dict[str, CStruct] = field(default_factory=dict)
    others: dict[str, CStruct] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    words: LeftOut | None = None
    last: str | None = None  # the last struct of the text, also if it is left out
    reasons: dict[str, str] = field(default_factory=dict)  # by name, why it is left out


def parse(tokens: list[Token], abi: Abi) -> Parsed:
    """The structs and unions of a text, from its tokens for one ABI."""
    return _Parser(tokens, abi).file()


class _Parser:
    def __init__(self, tokens: list[Token], abi: Abi) -> None:
        self._cursor = Cursor(tokens)
        self._abi = abi
        self._names = Declarations(self._cursor, abi)
        self._packs: list[int] = []
        self._parsed = Parsed()
        self._included: dict[str, CStruct] = {}
        self._inside: dict[str, str] = {}  # structs inside of code that is not read, with the reason

    def file(self) -> Parsed:
        cursor = self._cursor
        while cursor.token.kind != "end":
            start = cursor.position
            try:
                if cursor.token.kind == "pragma":
                    self._pragma(cursor.take())
                elif cursor.token.kind == "boundary":
                    cursor.take()
                elif not cursor.accept(";"):
                    self._file_scope(start)
            except LayoutError as error:
                self._leave_out(start, error)
        self._parsed.others = self._other_names()
        self._parsed.reasons = self._names.left_out
        for name, reason in self._inside.items():
            if name not in self._parsed.structs and name not in self._parsed.others:
                self._parsed.reasons.setdefault(name, reason)
        return self._parsed

    def _other_names(self) -> dict[str, CStruct]:
        aliases = {name: kind for name, kind in self._names.typedefs.items() if isinstance(kind, CStruct)}
        others = {**aliases, **self._names.tags, **self._included}
        for name, kind in self._names.typedefs.items():  # typedef struct a a_t; before struct a
            if isinstance(kind, Incomplete) and (tag := kind.tag) in self._names.tags:
                others.setdefault(name, self._names.tags[tag])
        return {name: found for name, found in others.items() if name not in self._parsed.structs}

    # ---- definitions

    def _file_scope(self, start: int) -> None:
        cursor, line = self._cursor, self._cursor.line
        while cursor.accept("__extension__"):
            pass
        if cursor.accept("typedef"):
            self._typedef()
            return
        if cursor.token.text not in (*AGGREGATES, "enum"):
            self._other_code(start)
            return
        found = self._names.specifiers()
        if not found.defines and cursor.token.text != ";" and cursor.token.kind != "end":
            self._other_code(start)
            return
        self._variables()
        if cursor.token.kind != "end":
            cursor.expect(";", "after a definition (a variable, or an attribute that is not known)")
        if isinstance(found.type, CStruct) and found.defines:
            if not found.type.tag:
                refuse(line, f"this {found.type.kind} needs a name")
            self._publish(found.type.tag, found.type)

    def _variables(self) -> None:
        """Skip variables behind a definition, if they can be nothing else: one name alone may be an attribute."""
        cursor = self._cursor
        if cursor.token.text != "*" and not (cursor.token.kind == "name" and cursor.peek().text in ("=", "[", ",")):
            return
        while cursor.token.text != ";" and cursor.token.kind in ("name", "mark", "number", "string"):
            if cursor.token.text in ("(", "[", "{"):
                cursor.skip_group()
            else:
                cursor.take()

    def _publish(self, name: str, made: CStruct) -> None:
        """Make ``made`` the text's last struct; one of an included header is known, but not the text's."""
        if not isinstance(made.line, int):
            self._included[name] = made
            return
        self._parsed.structs.pop(name, None)
        self._parsed.last = name
        self._parsed.structs[name] = made

    def _typedef(self) -> None:
        cursor, line = self._cursor, self._cursor.line
        found = self._names.specifiers()
        while True:
            own = Attributes(found.attributes.packed, found.attributes.align)
            name, kind = self._names.typedef_declarator(found.type, own)
            if name is None:
                refuse(line, "typedef without a name")
            self._define(name, self._aligned(kind, own, line), found.defines, line)
            if not cursor.accept(","):
                break
        cursor.expect(";", "after a typedef")

    @staticmethod
    def _aligned(kind: Known, own: Attributes, line: Line) -> Known:
        """A type with the attributes of its typedef (P7)."""
        if own.packed or (own.align and not isinstance(kind, CScalar | CStruct)):
            refuse(line, "attribute on a typedef (allowed: aligned, on an integer type or a struct)")
        if own.align and isinstance(kind, CScalar):
            return replace(kind, align=own.align)
        return replace(kind, typedef_align=own.align) if own.align and isinstance(kind, CStruct) else kind

    def _define(self, name: str, kind: Known, defines: bool, line: Line) -> None:
        if isinstance(kind, CScalar) and kind.kind != "pointer":
            kind = replace(kind, spelling=name)
        if isinstance(kind, CStruct) and defines:
            kind = kind if kind.tag else replace(kind, tag=name)
            self._publish(name, kind)
        if name in tree.NAMED and self._same(name, kind):
            return
        if self._names.typedefs.setdefault(name, kind) != kind or name in tree.NAMED:
            refuse(line, f"typedef {name} differs from what {name} means already")

    def _same(self, name: str, kind: Known) -> bool:
        """Does a typedef of a known name repeat the known meaning? (`typedef unsigned int __u32;`)"""
        known, column = tree.NAMED[name], self._abi.column
        return isinstance(kind, CScalar) and (
            (kind.sizes[column], kind.align or known.align) == (known.sizes[column], known.align)
            and kind.signed == known.signed
        )

    # ---- the rest of a text

    def _pragma(self, token: Token) -> None:
        match = _PACK.match(token.text)
        if not match:
            word = token.text.partition(" ")[0]
            self._names.doubt = f"{told(token.line)}: #pragma {word} may change a layout (allowed: #pragma pack)"
            return
        if match[1] == "push":
            self._packs.append(self._names.pack)
        if match[1] == "pop":
            self._names.pack = self._packs.pop() if self._packs else 0
        elif match[2] or match[1] is None:
            self._names.pack = int(match[2] or 0)

    def _other_code(self, start: int) -> None:
        """Skip a function, a variable or words; code that may be the rest of a struct is left out with its line."""
        cursor = self._cursor
        cursor.back(start)
        first = cursor.token
        said = LeftOut((), first.line, f"{told(first.line)}: {cursor.found()} {_OUTSIDE}")
        cursor.skip_declaration(start)
        skipped = cursor.between(start, cursor.position)
        texts = {token.text for token in skipped if token.kind == "mark"}
        self._parsed.words = self._parsed.words or said
        for before, name, after in zip(skipped, skipped[1:], skipped[2:], strict=False):
            if before.text in AGGREGATES and name.kind == "name" and after.text == "{":
                where = f"{told(name.line)}: {before.text} {name.text} stands inside of other code, which is not read"
                self._inside.setdefault(name.text, where)
        harmless = first.text in _STORAGE or "(" in texts or "=" in texts or not texts & {";", "}"}
        if "}" in texts and "{" not in texts:
            harmless = False
        if not harmless and isinstance(first.line, int):
            self._parsed.left_out.append(said)

    def _leave_out(self, start: int, error: LayoutError) -> None:
        cursor = self._cursor
        if len(self._parsed.left_out) >= MOST_LEFT_OUT:
            refuse(cursor.line, f"more than {MOST_LEFT_OUT} definitions cannot be read, the first one: {error}")
        cursor.skip_declaration(start)
        skipped = cursor.between(start, cursor.position)
        names = _names_of(skipped)
        for name in names:
            self._names.left_out.setdefault(name, str(error))
        line = skipped[0].line if skipped else cursor.line
        if isinstance(line, int) or names:
            self._parsed.left_out.append(LeftOut(names, line, str(error)))
        if isinstance(line, int) and names and not any(token.text == "enum" for token in skipped[:2]):
            self._parsed.last = names[-1]


def _names_of(skipped: list[Token]) -> tuple[str, ...]:
    """The tag and the typedef names that a definition would have defined."""
    names = []
    depth = 0
    for at, token in enumerate(skipped):
        depth += (token.text in "{([") - (token.text in "})]") if token.kind == "mark" else 0
        before = skipped[at - 1].text if at else ""
        after = skipped[at + 1].text if at + 1 < len(skipped) else ";"
        if token.kind != "name" or depth:
            continue
        tagged = before in (*AGGREGATES, "enum") and after == "{"
        typedef = skipped[0].text == "typedef" and after in (";", ",", "[") and before not in ("typedef",)
        late = before in ("__packed", ")") and after == "{"  # struct __packed a {
        if tagged or typedef or late:
            names.append(token.text)
    return tuple(dict.fromkeys(names))
