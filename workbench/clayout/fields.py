"""Turns the parser's tree into fields: one Field per named member, with offset, type and spelling.

Rule: members of anonymous structs and unions count as members of the enclosing struct, as in C.
"""

from __future__ import annotations

import struct as codecs
from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

from workbench.clayout.abi import Abi, place, size_of
from workbench.clayout.tree import CMember, CScalar, CStruct, CType, spelling
from workbench.clayout.types import Array, Element, Field, Hole, Scalar, is_plain, scalar

LayoutOf = Callable[[CStruct, Abi], Element]


class Mapped(NamedTuple):
    """Fields of a struct, with two bit masks: bits of its named members, and bits of all declared members."""

    fields: tuple[Field, ...]
    covered: int
    declared: int


def map_fields(tree: CStruct, abi: Abi, layout_of: LayoutOf) -> Mapped:
    """The fields of a struct. ``layout_of`` gives the type of members that are structs themselves."""
    fields: list[Field] = []
    covered = declared = 0
    for member, first in zip(tree.members, place(tree, abi).bits, strict=True):
        part = _map_member(member, first, abi, layout_of)
        fields.extend(part.fields)
        covered |= part.covered << first
        declared |= part.declared << first
    return Mapped(tuple(fields), covered, declared)


def _map_member(member: CMember, first: int, abi: Abi, layout_of: LayoutOf) -> Mapped:
    """One member whose first bit is ``first``: its field, or the fields of an anonymous struct.

    The bit masks in the result count from the member's own start.
    """
    if member.name is None and isinstance(member.type, CStruct):
        inner = map_fields(member.type, abi, layout_of)
        return inner._replace(fields=tuple(moved(field, first // 8, field.name) for field in inner.fields))
    element = _element(member.type, abi, layout_of)
    fields = () if member.name is None else (_field(member, member.name, first, element),)
    if member.width is not None:
        bits = (1 << member.width) - 1
        return Mapped(fields, bits if fields else 0, bits)
    return Mapped(fields, int.from_bytes(element.covered, "little"), int.from_bytes(element.declared, "little"))


def _element(kind: CType, abi: Abi, layout_of: LayoutOf) -> Element:
    if isinstance(kind, CScalar) and kind.kind == "raw":
        return Array(scalar(1), size_of(kind, abi), as_bytes=True)
    if isinstance(kind, CScalar):
        return scalar(kind.sizes[abi.column], kind.signed, kind.big_endian)
    if isinstance(kind, CStruct):
        return layout_of(kind, abi)
    inner = kind.element
    characters = isinstance(inner, CScalar) and (inner.kind == "char" or not inner.signed)
    return Array(_element(inner, abi, layout_of), kind.count or 0, characters and size_of(inner, abi) == 1)


def _field(member: CMember, name: str, first: int, element: Element) -> Field:
    offset, bit = divmod(first, 8)
    ctype = spelling(member.type)
    if member.width is None:
        return Field(name, offset, element.size, element, ctype)
    return Field(name, offset, -(-(bit + member.width) // 8), element, ctype, bit, member.width)


def moved(field: Field, by: int, name: str) -> Field:
    """The field with ``by`` bytes added to its offset, under ``name``: as seen from an enclosing struct."""
    return Field(name, field.offset + by, field.size, field.type, field.ctype, field.bit_offset, field.bit_width)


def holes_of(declared: bytes) -> tuple[Hole, ...]:
    """The runs of bytes in which no bit is declared."""
    holes = []
    for empty, run in groupby(range(len(declared)), lambda i: declared[i] == 0):
        offsets = list(run)
        if empty:
            kind = "tail" if offsets[-1] == len(declared) - 1 else "hole"
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
    """One `struct` format for the whole struct, with composite fields as bytes.

    None if the struct has bit-fields or overlapping fields (members of unions).
    """
    parts, position = ["<"], 0
    for field in fields:
        if field.bit_width is not None or field.offset < position:
            return None
        code = field.type.code if isinstance(field.type, Scalar) and is_plain(field) else f"{field.size}s"
        parts.append(f"{field.offset - position}x{code}")
        position = field.offset + field.size
    return codecs.Struct("".join(parts) + f"{size - position}x")
