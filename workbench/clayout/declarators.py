"""Declarators: the pointers, names, array sizes and parameters that stand around the name of a member.

Source: C11 6.7.6 (declarators).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from workbench.clayout import tree
from workbench.clayout.attributes import INERT, AttributeReader
from workbench.clayout.constants import Names, constant
from workbench.clayout.reader import Cursor
from workbench.clayout.text import refuse
from workbench.clayout.tree import CArray, CScalar, CType

AGGREGATES = ("struct", "union")


@dataclass(frozen=True, slots=True)
class Incomplete:
    """`void`, a function, or a struct that the text does not define: only a pointer to it has a known layout."""

    spelling: str
    pointer: str = ""  # how a pointer to it is spelled, if not with a star behind it
    tag: str = ""  # of a struct or union

    @property
    def why(self) -> str:
        return "is not in the text" if self.tag else "has no size"


Known: TypeAlias = CType | Incomplete


class DeclaratorReader:
    """Reads declarators at a cursor; ``names`` may stand in array sizes."""

    def __init__(self, cursor: Cursor, annotations: AttributeReader, names: Names) -> None:
        self._cursor = cursor
        self._annotations = annotations
        self._names = names

    def read(self, kind: Known) -> tuple[str | None, Known]:
        """Read pointers, a name and its suffixes; return the name and the whole type (C11 6.7.6)."""
        cursor = self._cursor
        with cursor.nested("declarators"):
            while cursor.accept(*INERT):
                pass
            while cursor.accept("*"):
                kind = _pointer(kind)
                while cursor.accept(*INERT):
                    pass
            if cursor.token.text == "(" and cursor.peek().text in ("*", "(", *INERT):
                return self._in_parentheses(kind)
            named = cursor.token.kind == "name" and not self._annotations.ahead()
            name = cursor.take().text if named else None
            return name, self._suffixes(kind)

    def _in_parentheses(self, kind: Known) -> tuple[str | None, Known]:
        """``(*name)[2]`` or ``(*name)(int)``: what stands behind the parentheses applies first."""
        cursor = self._cursor
        start = cursor.position
        cursor.skip_group()
        outer = self._suffixes(kind)
        end = cursor.position
        cursor.step_back(start + 1)
        name, found = self.read(outer)
        cursor.expect(")", "after a declarator in parentheses")
        cursor.step_back(end)
        return name, found

    def _suffixes(self, kind: Known) -> Known:
        cursor = self._cursor
        if cursor.token.text == "(":
            start = cursor.position
            cursor.skip_group()
            parameters = " ".join(token.text for token in cursor.between(start + 1, cursor.position - 1))
            return Incomplete(f"{spelled(kind)} ({parameters})", f"{spelled(kind)} (*)({parameters})")
        counts: list[int | None] = []
        while cursor.accept("["):
            line = cursor.line
            count = None if cursor.token.text == "]" else constant(cursor, self._names)
            cursor.expect("]", "after an array size")
            if count is not None and count < 0:
                refuse(line, f"array of {count} elements")
            if counts and count is None:  # only x[][2], never x[2][]
                refuse(line, "only the first dimension of an array may be open")
            counts.append(count)
        if counts and isinstance(kind, Incomplete):
            refuse(cursor.line, f"{kind.spelling} {kind.why} (allowed: a pointer to it)")
        for count in reversed(counts):
            kind = CArray(kind, count)  # type: ignore[arg-type]  # the line before has refused the other
        return kind


def spelled(kind: Known) -> str:
    """A type as in C."""
    return kind.spelling if isinstance(kind, Incomplete) else tree.spelling(kind)


def _pointer(kind: Known) -> CScalar:
    text = kind.pointer if isinstance(kind, Incomplete) and kind.pointer else f"{spelled(kind)} *"
    return CScalar(text.replace("* *", "**"), tree.POINTER_SIZES, kind="pointer")
