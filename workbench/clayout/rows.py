"""The rows of the tables of layouts: a member or a piece of padding each, and their lines in a given width.

Rule: nothing is cut. What is wider than its column goes on in the next line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from textwrap import wrap
from typing import NamedTuple

from workbench.clayout.shape import Shape
from workbench.clayout.types import Array, Field

WIDTH = 72  #: of a mail
_LEAST = 12  # columns of a type or a name


class Row(NamedTuple):
    """A line of a table: a member, or padding (then ``ctype`` is "-"); ``key`` names it in both layouts of a struct."""

    offset: int
    size: str
    ctype: str
    name: str
    key: str

    @property
    def numbers(self) -> str:
        return f"{self.offset:6}  {self.size:>6}"


def lines_of(head: str, rows: list[tuple[str, str, str]], width: int) -> list[str]:
    """Lines of (numbers, type, name) in ``width`` columns; long types and names go on in the lines below."""
    room = max(2 * _LEAST, width - max(len(numbers) for numbers, _, _ in [(head, "", ""), *rows]) - 4)
    types = max([len(ctype) for _, ctype, _ in rows] + [4])
    names = max([len(name) for _, _, name in rows] + [4])
    if types + names > room:
        types = max(min(types, room // 2), min(types, room - names))
    lines = []
    for numbers, ctype, name in [(head, "type", "name"), *rows]:
        parts = zip_longest([numbers], _wrapped(ctype, types), _wrapped(name, room - types), fillvalue="")
        lines += [f"{number:{len(numbers)}}  {kind:{types}}  {text}".rstrip() for number, kind, text in parts]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)


def rows_of(layout: Shape) -> list[Row]:
    """Members in declared order, each piece of padding after the last member that starts before it."""
    rows = list(_members(layout.fields, 0, ""))
    arrays = [field for field in layout.fields if isinstance(field.type, Array)]
    for hole in layout.holes:
        if not any(_inside(hole.offset, field) for field in arrays):
            before = max((i for i, row in enumerate(rows) if row.offset < hole.offset), default=-1)
            after = rows[before].key if before >= 0 else ""
            kind = "tail padding" if hole.kind == "tail" else "hole"
            rows.insert(before + 1, Row(hole.offset, str(hole.size), "-", f"({kind})", f"after {after}"))
    return rows


def _members(fields: tuple[Field, ...], start: int, prefix: str) -> Iterator[Row]:
    """One row per field; the fields of a nested struct follow it under dotted names."""
    end = 0
    for field in fields:
        name, notes = prefix + field.name, ""
        size = str(field.size) if field.bit_width is None else f"{field.bit_width} bit"
        if field.bit_width is not None:
            notes += f", from bit {field.bit_offset}"
        if len(field.bits) and field.bits.start < end:
            notes += " (shares bytes)"
        if isinstance(field.type, Array) and (padding := field.type.declared.count(0)):
            notes += f" ({padding} bytes of padding)"
        yield Row(start + field.offset, size, field.ctype, name + notes, name)
        end = max(end, field.bits.stop)
        inner: tuple[Field, ...] = getattr(field.type, "fields", ())
        yield from _members(inner, start + field.offset, f"{name}.")


def _inside(offset: int, field: Field) -> bool:
    return field.offset <= offset < field.offset + field.size
