"""A layout as data: what ``workbench layout --format json`` prints.

Rule: nothing of a layout is lost: bits, nested members and the dimensions of arrays are there as numbers.
"""

from __future__ import annotations

from typing import Any

from workbench.clayout.shape import Shape
from workbench.clayout.types import Array, Element, Field


def record(layout: Shape) -> dict[str, Any]:
    """The layout on one ABI. Sizes and offsets are in bytes; offsets of nested members count from the whole struct."""
    return {
        "struct": layout.struct_name,
        "kind": layout.tree.kind,
        "abi": layout.abi.label,
        "size": layout.size,
        "align": layout.align,
        "fields": [_field(field, 0) for field in layout.fields],
        "holes": [{"offset": hole.offset, "size": hole.size, "kind": hole.kind} for hole in layout.holes],
    }


def _field(field: Field, start: int) -> dict[str, Any]:
    """One member. ``bit_offset`` and ``bit_width`` are None but for bit-fields, ``array`` is empty but for arrays.

    ``fields`` are the members of a struct, or of the first element of an array of structs.
    """
    counts, element = _array(field.type)
    return {
        "name": field.name,
        "offset": start + field.offset,
        "size": field.size,
        "type": field.ctype,
        "bit_offset": field.bit_offset,
        "bit_width": field.bit_width,
        "array": counts,
        "fields": [_field(one, start + field.offset) for one in getattr(element, "fields", ())],
    }


def _array(element: Element) -> tuple[list[int], Element]:
    """The dimensions of an array, outermost first (0 for an open one), and what it is an array of."""
    counts = []
    while isinstance(element, Array):
        counts.append(element.count)
        element = element.element
    return counts, element
