"""Attributes and annotations in C declarations: packed and aligned change the layout, a few others do not.

Rule: an attribute is refused unless it is known not to change the layout.

Source: gcc manual, "Common Type Attributes" and "Common Variable Attributes"; the kernel's
include/linux/compiler_attributes.h (__packed, __aligned) and compiler_types.h (sparse annotations).
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.clayout import tree
from workbench.clayout.constants import Names, constant
from workbench.clayout.reader import Cursor
from workbench.clayout.text import Line

_QUALIFIERS = frozenset({
    "const", "volatile", "__const", "__volatile__", "__const__", "__extension__", "restrict", "__restrict",
    "__restrict__",
})  # fmt: skip
_SPARSE = frozenset({
    "__user", "__kernel", "__iomem", "__rcu", "__percpu", "__force", "__bitwise", "__bitwise__", "__nonstring",
    "__private",
})  # fmt: skip
#: gcc's attributes that change no layout.
_INERT_ATTRIBUTES = frozenset({
    "deprecated", "unused", "may_alias", "transparent_union", "designated_init", "nonstring", "counted_by",
    "preserve_access_index", "unavailable", "visibility", "nothrow", "noreturn", "warn_if_not_aligned", "gnu_inline",
})  # fmt: skip
INERT = _QUALIFIERS | _SPARSE
ALLOWED = "packed, aligned, aligned(N), __packed, __aligned(N)"

_INERT_CALLS = frozenset({"__counted_by", "__counted_by_le", "__counted_by_be"})
_WORDS = frozenset({"__packed", "__aligned", "__attribute__", "__attribute", "_Alignas", "alignas"})
_MAX_ALIGN = 1 << 12


@dataclass(slots=True)
class Attributes:
    """The attributes read so far; ``align`` in bytes, 0 for none."""

    packed: bool = False
    align: int = 0
    line: Line = 0

    def __bool__(self) -> bool:
        return self.packed or bool(self.align)


class AttributeReader:
    """Reads attributes at a cursor; ``names`` are those that may stand in the N of aligned(N)."""

    def __init__(self, cursor: Cursor, names: Names) -> None:
        self._cursor = cursor
        self._names = names

    def ahead(self) -> bool:
        return self._cursor.token.text in _WORDS

    def all(self, attributes: Attributes | None = None) -> Attributes:
        """Read all annotations at the cursor and add them to ``attributes``."""
        found = attributes if attributes is not None else Attributes()
        while self.one(found):
            pass
        return found

    def one(self, attributes: Attributes) -> bool:
        """Read one qualifier, annotation or attribute, if there is one; tell whether there was."""
        cursor = self._cursor
        if cursor.accept(*INERT):
            return True
        if cursor.accept(*_INERT_CALLS):
            cursor.expect("(", "before the member that counts")
            cursor.name("a member name")
            cursor.expect(")", "after the member that counts")
            return True
        if self.ahead():
            self._attribute(attributes)
            return True
        return False

    def _attribute(self, attributes: Attributes) -> None:
        cursor = self._cursor
        attributes.line = cursor.line
        word = cursor.take().text
        if word == "__packed":
            attributes.packed = True
        elif word in ("__aligned", "_Alignas", "alignas"):
            self._aligned(attributes)
        else:
            cursor.expect("(", "after __attribute__")
            cursor.expect("(", "after __attribute__(")
            while not cursor.accept(")"):
                self._gcc_attribute(attributes)
                if not cursor.accept(",") and cursor.token.text != ")":
                    cursor.refuse(f"expected ',' or ')' in __attribute__, found {cursor.found()}")
            cursor.expect(")", "after __attribute__((...)")

    def _gcc_attribute(self, attributes: Attributes) -> None:
        name = self._cursor.name("an attribute").strip("_")
        if name == "packed":
            attributes.packed = True
        elif name == "aligned" and self._cursor.token.text == "(":
            self._aligned(attributes)
        elif name == "aligned":
            self._set_align(attributes, tree.BARE_ALIGNED)
        elif name in _INERT_ATTRIBUTES:
            if self._cursor.token.text == "(":
                self._cursor.skip_group()
        else:
            self._cursor.refuse(f"unknown attribute {name} (allowed: {ALLOWED})")

    def _aligned(self, attributes: Attributes) -> None:
        self._cursor.expect("(", "after aligned")
        self._set_align(attributes, constant(self._cursor, self._names))
        self._cursor.expect(")", "after aligned(N")

    def _set_align(self, attributes: Attributes, align: int) -> None:
        if not 0 < align <= _MAX_ALIGN or align & (align - 1):
            self._cursor.refuse(f"aligned({align}) (allowed: powers of two up to {_MAX_ALIGN})")
        if attributes.align not in (0, align):
            self._cursor.refuse(f"both aligned({attributes.align}) and aligned({align})")
        attributes.align = align
