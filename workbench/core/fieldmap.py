"""From the parser's tree to fields: one Field per named member, with offset, type and spelling.

Rule: members of anonymous structs and unions stand among those of the struct around them, as C sees them.
"""

from __future__ import annotations

import struct as codecs
from collections.abc import Callable
from itertools import groupby

from workbench.core.ctree import CMember, CScalar, CStruct, CType, spelling
from workbench.core.elements import Array, Element, Field, Hole, Scalar, is_plain, scalar
from workbench.core.placement import Abi, place, size_of

LayoutOf = Callable[[CStruct, Abi], Element]


def fields_and_mask(tree: CStruct, abi: Abi, layout_of: LayoutOf) -> tuple[tuple[Field, ...], int]:
    """The named fields, and a number with a bit set for every bit that any member occupies.

    ``layout_of`` gives the type of fields that are structs themselves.
    """
    fields: list[Field] = []
    mask = 0
    for member, first in zip(tree.members, place(tree, abi).bits, strict=True):
        if member.name is None and isinstance(member.type, CStruct):
            inner, bits = fields_and_mask(member.type, abi, layout_of)
            fields.extend(moved(field, first // 8, field.name) for field in inner)
        elif member.width is not None:
            bits = (1 << member.width) - 1
        else:
            bits = int.from_bytes(_element(member.type, abi, layout_of).covered, "little")
        mask |= bits << first
        if member.name is not None:
            fields.append(_field(member, member.name, first, _element(member.type, abi, layout_of)))
    return tuple(fields), mask


def _element(kind: CType, abi: Abi, layout_of: LayoutOf) -> Element:
    if isinstance(kind, CScalar):
        return scalar(kind.sizes[abi.column], kind.signed, kind.big_endian)
    if isinstance(kind, CStruct):
        return layout_of(kind, abi)
    inner = kind.element
    as_bytes = isinstance(inner, CScalar) and size_of(inner, abi) == 1 and (inner.text or not inner.signed)
    return Array(_element(inner, abi, layout_of), kind.count or 0, as_bytes)


def _field(member: CMember, name: str, first: int, element: Element) -> Field:
    offset, bit = divmod(first, 8)
    ctype = spelling(member.type)
    if member.width is None:
        return Field(name, offset, element.size, element, ctype)
    return Field(name, offset, -(-(bit + member.width) // 8), element, ctype, bit, member.width)


def moved(field: Field, by: int, name: str) -> Field:
    """The field as seen from a struct that holds this one ``by`` bytes after its start."""
    return Field(
        name, field.offset + by, field.size, field.type, field.ctype, field.bit_offset, field.bit_width
    )


def holes_of(covered: bytes) -> tuple[Hole, ...]:
    """The runs of bytes without a single covered bit."""
    holes = []
    for empty, run in groupby(range(len(covered)), lambda i: covered[i] == 0):
        offsets = list(run)
        if empty:
            kind = "tail" if offsets[-1] == len(covered) - 1 else "hole"
            holes.append(Hole(offsets[0], len(offsets), kind))
    return tuple(holes)


def share_bits(one: Field, other: Field) -> bool:
    """Do two fields overlap, as the members of a union do?"""
    return max(one.bits.start, other.bits.start) < min(one.bits.stop, other.bits.stop)


def any_overlap(fields: tuple[Field, ...]) -> bool:
    """Is there a pair of fields that share bits?"""
    end = 0
    for field in sorted(fields, key=lambda f: f.bits.start):
        if len(field.bits) and field.bits.start < end:
            return True
        end = max(end, field.bits.stop)
    return False


def codec_of(fields: tuple[Field, ...], size: int) -> codecs.Struct | None:
    """One format for the whole struct, composite fields as bytes; None where there are bit-fields."""
    if any(field.bit_width is not None for field in fields):
        return None
    parts, position = ["<"], 0
    for field in fields:
        code = field.type.code if isinstance(field.type, Scalar) and is_plain(field) else f"{field.size}s"
        parts.append(f"{field.offset - position}x{code}")
        position = field.offset + field.size
    return codecs.Struct("".join(parts) + f"{size - position}x")
