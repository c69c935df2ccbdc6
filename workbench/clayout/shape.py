"""The layout of a struct on one ABI as data: sizes, offsets and padding, with look-ups by field name.

Rule: a shape never changes. `Layout` adds the making of values; values and tables need only a shape.
"""

from __future__ import annotations

import zlib
from itertools import combinations
from typing import Any, NoReturn

from workbench.clayout.abi import Abi, place
from workbench.clayout.fields import LayoutOf, any_overlap, holes_of, map_fields, moved, share_bits
from workbench.clayout.tree import CStruct
from workbench.clayout.types import Field, Hole
from workbench.errors import LayoutError


class Shape:
    """A struct as one ABI lays it out. Sizes and offsets in bytes; immutable and hashable.

    ``fields`` are in declared order and include those of anonymous members; ``holes`` is the padding that the
    compiler adds, also inside nested structs, without explicit pad members. ``covered`` and ``declared`` mean the
    same as in `workbench.clayout.types.Element`.
    """

    __slots__ = (
        "_index", "_overlaps",
        "abi", "align", "covered", "declared", "fields", "holes", "size", "struct_name", "tree",
    )  # fmt: skip
    struct_name: str
    abi: Abi
    size: int
    align: int
    fields: tuple[Field, ...]
    holes: tuple[Hole, ...]
    tree: CStruct
    covered: bytes
    declared: bytes
    _index: dict[str, Field]
    _overlaps: bool

    def __init__(self, tree: CStruct, abi: Abi, layout_of: LayoutOf) -> None:
        placed, mapped = place(tree, abi), map_fields(tree, abi, layout_of)
        covered, declared = (bits.to_bytes(placed.size, "little") for bits in (mapped.covered, mapped.declared))
        self._set(
            struct_name=tree.tag or f"(anonymous {tree.kind})", abi=abi, size=placed.size, align=placed.align,
            fields=mapped.fields, holes=holes_of(declared), tree=tree, covered=covered, declared=declared,
            _index={field.name: field for field in mapped.fields}, _overlaps=any_overlap(mapped.fields),
        )  # fmt: skip

    def _set(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("layouts are immutable")

    def __hash__(self) -> int:
        return zlib.crc32(f"{self.struct_name} {self.abi.label} {self.size}".encode())

    def __repr__(self) -> str:
        return f"<{self.title} on {self.abi.label}: {self.size} bytes, align {self.align}>"

    @property
    def title(self) -> str:
        """Such as ``struct kvm_memory_area``."""
        return f"{self.tree.kind} {self.struct_name}"

    @property
    def known_fields(self) -> str:
        """The names of all fields, for error messages."""
        return f"fields: {', '.join(self._index) or 'none'}"

    def _known(self, name: str) -> Field:
        found = self._index.get(name)
        if found is None:
            raise LayoutError(f"{self.title} has no field {name} ({self.known_fields})")
        return found

    def field(self, name: str) -> Field:
        """A field by its name, ``outer.inner`` for nested ones; its offset counts from this struct's start.

        Raises LayoutError if there is no such field.
        """
        head, dot, rest = name.partition(".")
        found = self._known(head)
        if not dot:
            return found
        if not isinstance(found.type, Shape):
            raise LayoutError(f"{self.title}: {head} is a {found.ctype}, it has no field {rest}")
        return moved(found.type.field(rest), found.offset, name)

    def offset_of(self, name: str) -> int:
        """Offset in bytes of a field, dotted names allowed."""
        return self.field(name).offset

    def changed(self, data: bytes, fields: dict[str, Any]) -> bytes:
        """The bytes of a whole struct with some fields changed.

        Raises LayoutError for an unknown field, for a value that does not fit its field, and if two of the fields
        share bytes (members of a union).
        """
        buffer = bytearray(data)
        if self._overlaps:
            self._refuse_overlaps(fields)
        for name, content in fields.items():
            self._known(name).write_into(buffer, content, f"{self.struct_name}.{name}")
        return bytes(buffer)

    def _refuse_overlaps(self, fields: dict[str, Any]) -> None:
        for one, other in combinations([self._known(name) for name in fields], 2):
            if share_bits(one, other):
                raise LayoutError(f"{self.title}: {one.name} and {other.name} share bytes, give one of them")
