"""Where gcc puts the members of a struct or union: the layout rules of the x86-64 and i386 ABIs.

P1 A scalar is aligned to its size, on i386 to at most 4 (so u64 is 4-aligned there). A typedef's own
   alignment (__aligned_u64) is exact. long double and __int128 are aligned to 16 on x86-64.
P2 packed on a member, or on its struct, takes the alignment down to 1; an explicit aligned(N) raises it.
P3 A struct has the alignment of its most strictly aligned member, and its size is rounded up to that.
P4 A bit-field starts at the next bit, unless it would then touch more alignment units than its type has;
   then it starts at the next unit. A packed bit-field always starts at the next bit.
P5 A bit-field of width 0 closes the current unit. Unnamed bit-fields do not raise the struct's alignment.
P6 #pragma pack(N) takes the alignment of each member down to N, also an explicit one; a bit-field then always starts
   at the next bit, and packed does not take down what it asks of its struct. One of width 0 is aligned as without.
P7 A typedef with aligned(N) gives a struct exactly that alignment; its size stays.

Source: System V ABI AMD64 3.1.2 and i386 supplement; gcc/stor-layout.c (place_field, excess_unit_span) and
x86_field_alignment in gcc/config/i386/i386.c. Checked against gcc: tests/golden/layouts/make.py.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import NamedTuple

from workbench.clayout.text import refuse
from workbench.clayout.tree import CArray, CMember, CScalar, CStruct, CType

MAX_BYTES = 1 << 20
_NO_BOUND = 1 << 30


class Abi(Enum):
    """An ABI that a guest may be compiled for; ``label`` is its name in texts."""

    X86_64 = "x86-64"
    I386 = "i386"

    # Hash by identity, for speed: the default Enum hash is a Python method that looks up the name.
    __hash__ = object.__hash__

    @property
    def label(self) -> str:
        return str(self.value)

    @property
    def column(self) -> int:
        """Index into the (x86-64, i386) pairs of `tree`."""
        return 0 if self is Abi.X86_64 else 1


class Placement(NamedTuple):
    """Size and alignment in bytes; ``bits`` is each member's first bit, counted from the struct's start."""

    size: int
    align: int
    bits: tuple[int, ...]


def size_of(kind: CType, abi: Abi) -> int:
    """Size in bytes; 0 for a flexible array."""
    if isinstance(kind, CScalar):
        return kind.sizes[abi.column]
    if isinstance(kind, CArray):
        return (kind.count or 0) * size_of(kind.element, abi)
    return place(kind, abi).size


def align_of(kind: CType, abi: Abi) -> int:
    """Alignment in bytes as a member of a struct (P1)."""
    if isinstance(kind, CArray):
        return align_of(kind.element, abi)
    if isinstance(kind, CStruct):
        return place(kind, abi).align
    most = 4 if abi is Abi.I386 else 16 if kind.kind == "raw" else 8
    return kind.align or min(kind.sizes[abi.column], most)


@cache
def place(tree: CStruct, abi: Abi) -> Placement:
    """Lay out one struct or union. Raises LayoutError if it is larger than MAX_BYTES."""
    put = _put_bit_field_or_member(tree, abi)
    position, end, align, bits = 0, 0, max(1, tree.align), []
    for member in tree.members:
        start, stop, wants = put(member, 0 if tree.kind == "union" else position)
        bits.append(start)
        position, end, align = stop, max(end, stop), max(align, wants)
        if end > 8 * MAX_BYTES:
            refuse(member.line, f"{tree.kind} {tree.tag} is too large (allowed: up to {MAX_BYTES} bytes)")
    size = _up(_up(end, 8) // 8, align)
    return Placement(size, tree.typedef_align or align, tuple(bits))


def _put_bit_field_or_member(tree: CStruct, abi: Abi) -> Callable[[CMember, int], tuple[int, int, int]]:
    """A function: (member, next free bit) -> (first bit, bit after its last, alignment it requires of the struct)."""

    def put(member: CMember, position: int) -> tuple[int, int, int]:
        packed = member.packed or tree.packed
        most = tree.pack or _NO_BOUND
        unit = min(align_of(member.type, abi), most)
        if member.width is None:
            align = min(max(1 if packed else unit, member.align), most)
            start = _up(position, 8 * align)
            return start, start + 8 * size_of(member.type, abi), align
        if member.width == 0:
            start = _up(position, 8 * align_of(member.type, abi))
            return start, start, 1
        asks = 1 if (packed and not tree.pack) or member.name is None else unit
        start = position
        held = 8 * size_of(member.type, abi)
        if not packed and not tree.pack and _spans_too_much(position, member.width, 8 * unit, held):
            start = _up(position, 8 * unit)
        return start, start + member.width, asks

    return put


def _spans_too_much(position: int, width: int, unit: int, type_bits: int) -> bool:
    """P4: would a bit-field at ``position`` touch more alignment units than its type has? All in bits."""
    return (position % unit + width + unit - 1) // unit > type_bits // unit


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
