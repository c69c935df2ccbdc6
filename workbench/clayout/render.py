"""Layouts as text: ASCII, 72 columns unless another width is asked for, so that they can go into a mail.

Rule: padding that the compiler adds has a line of its own and is stated in words; differences between ABIs
are stated in words too, so that the reader need not compare columns.

Source of the rule that `compare` prints: Linux, Documentation/process/botching-up-ioctls.rst,
sections "Prerequisites" and "Basics". The table follows that of pahole (package dwarves).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from workbench.clayout.rows import WIDTH, Row, lines_of, rows_of
from workbench.clayout.shape import Shape
from workbench.clayout.tree import CArray, CScalar, CStruct, CType
from workbench.clayout.types import Field

_RULE = (
    "Rule (Linux, Documentation/process/botching-up-ioctls.rst): use integers of fixed size; pad explicitly, "
    "each member to its natural size and a struct with 64-bit members to a multiple of 64 bits; "
    "check that all padding is zero.",
)


# ---- one layout


def describe(layout: Shape, all_abis: Iterable[Shape], width: int = WIDTH) -> str:
    """The table of one layout, with the totals of every ABI below it."""
    rows = [(row.numbers, row.ctype, row.name) for row in rows_of(layout)]
    said = [_total(other, here=other is layout) for other in all_abis]
    totals = [line for one in said for line in wrap(one, width, subsequent_indent="    ")]
    return "\n".join([f"{layout.title} on {layout.abi.label}", *lines_of("offset    size", rows, width), *totals])


def _total(layout: Shape, here: bool) -> str:
    padding = _padding(layout)
    added = f", {padding} of them padding added by the compiler" if padding else ""
    mark = "*" if here else " "
    return f"{mark} {layout.abi.label + ':':8}{layout.size} bytes, align {layout.align}{added}"


def _padding(layout: Shape) -> int:
    return sum(hole.size for hole in layout.holes)


# ---- two ABIs


def compare(x86_64: Shape, i386: Shape, width: int = WIDTH) -> str:
    """Two layouts of one struct side by side, the differences in words, the kernel's rule and its verdict."""
    empty = " " * len("offset    size")
    head = f"{x86_64.abi.label:14}  {i386.abi.label:14}"
    rows = [("offset    size  offset    size", "", "")]
    for wide, narrow in _paired(rows_of(x86_64), rows_of(i386)):
        shown = wide or narrow
        assert shown is not None
        numbers = f"{wide.numbers if wide else empty}  {narrow.numbers if narrow else empty}"
        rows.append((numbers, _both(wide, narrow), shown.name))
    words = [*_difference(x86_64, i386), *_RULE, *_verdict(x86_64, i386)]
    wrapped = [line for text in words for line in wrap(text, width, subsequent_indent="  ")]
    return "\n".join([x86_64.title, *lines_of(head, rows, width), *wrapped])


def _both(wide: Row | None, narrow: Row | None) -> str:
    """The type of a member; both types where they are not the same text."""
    types = dict.fromkeys(row.ctype for row in (wide, narrow) if row)
    return " (x86-64), ".join(types) + (" (i386)" if len(types) > 1 else "")


def _paired(wide: list[Row], narrow: list[Row]) -> Iterator[tuple[Row | None, Row | None]]:
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
    narrow = {field.name: field for field in i386.fields}
    pairs = [(field, narrow[field.name]) for field in x86_64.fields if field.name in narrow]
    sentences += list(_alone(x86_64, i386))
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


def _alone(x86_64: Shape, i386: Shape) -> Iterator[str]:
    """Which members a condition of the text leaves to one ABI."""
    for here, there in ((x86_64, i386), (i386, x86_64)):
        names = {field.name for field in there.fields}
        if alone := [field.name for field in here.fields if field.name not in names]:
            yield f"On {here.abi.label} only: {', '.join(alone)}."


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
