"""Layouts as text: ASCII, 72 columns, so that they can go into a mail.

Rule: padding that the compiler adds has a line of its own and is stated in words; differences between ABIs
are stated in words too, so that the reader need not compare columns.

Source of the rule that `compare` prints: Linux, Documentation/process/botching-up-ioctls.rst,
sections "Prerequisites" and "Basics". The table follows that of pahole (package dwarves).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import NamedTuple

from workbench.clayout.shape import Shape
from workbench.clayout.tree import CArray, CScalar, CStruct, CType
from workbench.clayout.types import Array, Field

WIDTH = 72
_TYPE_WIDTH = 24
_RULE = (
    "Rule (Linux, Documentation/process/botching-up-ioctls.rst): use integers of fixed size; pad explicitly, "
    "each member to its natural size and a struct with 64-bit members to a multiple of 64 bits; "
    "check that all padding is zero.",
)


# ---- one layout


class _Row(NamedTuple):
    """A line of a table: a member, or padding (then ``ctype`` is "-")."""

    offset: int
    size: str
    ctype: str
    name: str
    key: str

    @property
    def numbers(self) -> str:
        return f"{self.offset:6}  {self.size:>6}"


def describe(layout: Shape, all_abis: Iterable[Shape]) -> str:
    """The table of one layout, with the totals of every ABI below it."""
    rows = [(row.numbers, row.ctype, row.name) for row in _rows(layout)]
    totals = [_total(other, here=other is layout) for other in all_abis]
    return "\n".join([f"{layout.title} on {layout.abi.label}", *_table("offset    size", rows), *totals])


def _total(layout: Shape, here: bool) -> str:
    padding = _padding(layout)
    added = f", {padding} of them padding added by the compiler" if padding else ""
    mark = "*" if here else " "
    return f"{mark} {layout.abi.label + ':':8}{layout.size} bytes, align {layout.align}{added}"


def _padding(layout: Shape) -> int:
    return sum(hole.size for hole in layout.holes)


def _table(head: str, rows: list[tuple[str, str, str]]) -> list[str]:
    """Lines of (numbers, type, name), cut to the width of a mail."""
    width = min(_TYPE_WIDTH, max([len(ctype) for _, ctype, _ in rows] + [4]))
    lines = []
    for numbers, ctype, name in [(head, "type", "name"), *rows]:
        room = WIDTH - len(numbers) - width - 4
        lines.append(f"{numbers}  {_cut(ctype, width):{width}}  {_cut(name, room)}".rstrip())
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."


def _rows(layout: Shape) -> list[_Row]:
    """Members in declared order, each piece of padding after the last member that starts before it."""
    rows = list(_members(layout.fields, 0, ""))
    arrays = [field for field in layout.fields if isinstance(field.type, Array)]
    for hole in layout.holes:
        if not any(_inside(hole.offset, field) for field in arrays):
            before = max((i for i, row in enumerate(rows) if row.offset < hole.offset), default=-1)
            after = rows[before].key if before >= 0 else ""
            kind = "tail padding" if hole.kind == "tail" else "hole"
            rows.insert(before + 1, _Row(hole.offset, str(hole.size), "-", f"({kind})", f"after {after}"))
    return rows


def _members(fields: tuple[Field, ...], start: int, prefix: str) -> Iterator[_Row]:
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
        yield _Row(start + field.offset, size, field.ctype, name + notes, name)
        end = max(end, field.bits.stop)
        inner: tuple[Field, ...] = getattr(field.type, "fields", ())
        yield from _members(inner, start + field.offset, f"{name}.")


def _inside(offset: int, field: Field) -> bool:
    return field.offset <= offset < field.offset + field.size


# ---- two ABIs


def compare(x86_64: Shape, i386: Shape) -> str:
    """Two layouts of one struct side by side, the differences in words, the kernel's rule and its verdict."""
    empty = " " * len("offset    size")
    head = f"{x86_64.abi.label:14}  {i386.abi.label:14}"
    rows = [("offset    size  offset    size", "", "")]
    for wide, narrow in _paired(_rows(x86_64), _rows(i386)):
        shown = wide or narrow
        assert shown is not None
        numbers = f"{wide.numbers if wide else empty}  {narrow.numbers if narrow else empty}"
        rows.append((numbers, shown.ctype, shown.name))
    words = [*_difference(x86_64, i386), *_RULE, *_verdict(x86_64, i386)]
    wrapped = [line for text in words for line in wrap(text, WIDTH, subsequent_indent="  ")]
    return "\n".join([x86_64.title, *_table(head, rows), *wrapped])


def _paired(wide: list[_Row], narrow: list[_Row]) -> Iterator[tuple[_Row | None, _Row | None]]:
    """Pairs of the same member or padding in both layouts, in the order of the members."""
    others = {row.key: row for row in narrow}
    both = {row.key for row in wide}
    for row in wide:
        yield row, others.pop(row.key, None)
        if (after := f"after {row.key}") not in both and after in others:
            yield None, others.pop(after)


def _difference(x86_64: Shape, i386: Shape) -> list[str]:
    """Sentences: sizes with their reason, then alignment, then members that move or change size."""
    if x86_64.size != i386.size:
        reasons = "; ".join(_reasons(x86_64, i386)) or "see the members below"
        sentences = [f"{x86_64.size} bytes on x86-64, {i386.size} on i386: {reasons}."]
    else:
        sentences = [f"{x86_64.size} bytes on both."]
    if x86_64.align != i386.align:
        sentences.append(f"Aligned to {x86_64.align} on x86-64, to {i386.align} on i386.")
    pairs = list(zip(x86_64.fields, i386.fields, strict=True))
    sentences += [
        f"{one.name}: {one.size} bytes on x86-64, {other.size} on i386."
        for one, other in pairs
        if one.size != other.size and one.bit_width is None
    ]
    moved = [
        f"{one.name}: offset {_place(one)} on x86-64, {_place(other)} on i386."
        for one, other in pairs
        if one.bits.start != other.bits.start
    ]
    return sentences + (moved or ["Every member has the same offset on both."])


def _place(field: Field) -> str:
    return str(field.offset) if field.bit_width is None else f"{field.offset} bit {field.bit_offset}"


def _reasons(x86_64: Shape, i386: Shape) -> Iterator[str]:
    for kind, words in (("tail", "tail padding"), ("hole", "holes")):
        wide, narrow = (sum(h.size for h in side.holes if h.kind == kind) for side in (x86_64, i386))
        if wide and not narrow:
            yield f"{wide} bytes of {words} on x86-64 only"
        elif narrow and not wide:
            yield f"{narrow} bytes of {words} on i386 only"
        elif wide != narrow:
            yield f"{words} of {wide} bytes on x86-64, {narrow} on i386"
    grown = sum(field.size for field in x86_64.fields) - sum(field.size for field in i386.fields)
    if grown and not _padding(x86_64) and not _padding(i386):
        yield f"members are {grown} bytes larger on x86-64"


def _verdict(x86_64: Shape, i386: Shape) -> list[str]:
    """Whether the struct follows the rule; if not, why, and what change would fix it."""
    broken = []
    if sizes := sorted(set(_varying(x86_64.tree))):
        broken.append(f"the size of {', '.join(sizes)} depends on the ABI")
    if padding := max(_padding(x86_64), _padding(i386)):
        broken.append(f"{padding} bytes of padding are not declared")
    if _has_64_bits(x86_64.tree) and i386.size % 8:
        broken.append(f"it has 64-bit members and {i386.size} bytes on i386 are no multiple of 8")
    if not broken:
        return [f"Kept here{'' if _has_64_bits(x86_64.tree) else ': it has no 64-bit members'}."]
    return [f"Broken here: {'; '.join(broken)}.", *_remedy(x86_64, i386)]


def _remedy(x86_64: Shape, i386: Shape) -> list[str]:
    """The fix for the simple case: members have the same offsets, and only the end needs explicit padding."""
    tails = [hole for hole in x86_64.holes if hole.kind == "tail"]
    same = [f.offset for f in x86_64.fields] == [f.offset for f in i386.fields]
    if not same or len(x86_64.holes) != 1 or not tails or any(_varying(x86_64.tree)):
        return []
    return [f"{tails[0].size} more bytes of explicit padding at its end make it {x86_64.size} bytes on both."]


def _scalars(kind: CType) -> Iterator[CScalar]:
    if isinstance(kind, CScalar):
        yield kind
    elif isinstance(kind, CArray):
        yield from _scalars(kind.element)
    else:
        for member in kind.members:
            yield from _scalars(member.type)


def _varying(tree: CStruct) -> Iterator[str]:
    return (kind.spelling for kind in _scalars(tree) if kind.sizes[0] != kind.sizes[1])


def _has_64_bits(tree: CStruct) -> bool:
    return any(kind.sizes[0] == 8 for kind in _scalars(tree))
