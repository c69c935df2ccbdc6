"""ABI layouts from pasted C text: structs, their layouts, and values in them.

    area = struct("struct kvm_memory_area { __u64 base; __u32 size; __u32 type; __u8 result; __u8 pad[3]; };")
    area.on(Abi.X86_64).size, area.on(Abi.I386).size        # 24, 20
    area(base=0x1000, size=64).pack()                       # 24 bytes

Rules: a Struct has one layout per ABI; padding that the compiler adds is always zero in a Value and ignored
when bytes are read; text whose layout is not certain raises LayoutError, the layout is never guessed.

Source: the System V psABIs as gcc implements them; the rules are numbered in `abi`.
"""

from __future__ import annotations

import struct as codecs
import zlib
from functools import cache
from typing import Any

from workbench.clayout import render
from workbench.clayout.abi import Abi
from workbench.clayout.definitions import define
from workbench.clayout.fields import codec_of
from workbench.clayout.rows import WIDTH
from workbench.clayout.shape import Shape
from workbench.clayout.symbolic import SymbolicBytes, SymbolicNumber
from workbench.clayout.tree import CStruct
from workbench.clayout.types import S8, S16, S32, S64, U8, U16, U32, U64, Array, Field, Hole, Scalar, is_plain
from workbench.clayout.value import Value, value_class, value_of
from workbench.errors import LayoutError

__all__ = [
    "S8", "S16", "S32", "S64", "U8", "U16", "U32", "U64",
    "Abi", "Array", "Field", "Hole", "Layout", "Scalar", "Struct", "Value", "compare_abis", "struct",
]  # fmt: skip


class Layout(Shape):
    """The shape of a struct on one ABI, and the values in it; also the type of a nested member."""

    __slots__ = ("_class", "_codec", "_composite", "_defaults", "_mask")
    _mask: int | None
    _codec: codecs.Struct | None
    _defaults: dict[str, int | bytes]
    _composite: frozenset[str]
    _class: type[Value]

    def __init__(self, tree: CStruct, abi: Abi) -> None:
        super().__init__(tree, abi, layout_of)
        fields, full = self.fields, self.covered.count(0xFF) == self.size
        self._set(
            _mask=None if full else int.from_bytes(self.covered, "little"), _codec=codec_of(fields, self.size),
            _defaults={f.name: 0 if is_plain(f) else b"" for f in fields},
            _composite=frozenset(f.name for f in fields if not is_plain(f)), _class=value_class(self),
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return layout_of, (self.tree, self.abi)

    # ---- values

    def __call__(self, /, **fields: Any) -> Value:
        """A Value with these fields, all others zero. Raises LayoutError as `Shape.changed` does."""
        for content in fields.values():
            if isinstance(content, SymbolicNumber):
                return content.filled(self, fields)  # type: ignore[no-any-return]
        codec = self._codec
        if codec is not None and self._composite.isdisjoint(fields):
            merged = self._defaults | fields
            if len(merged) == len(self._defaults):
                try:
                    return value_of(self._class, codec.pack(*merged.values()))
                except codecs.error:
                    pass  # changed() writes field by field, so its error names the wrong field
        return value_of(self._class, self.changed(bytes(self.size), fields))

    def pack(self, value: Value) -> bytes:
        """The bytes of a Value of this layout."""
        if getattr(value, "layout", None) is self:
            return value._data
        raise LayoutError(f"{self!r} cannot pack {value!r}")

    def unpack(self, data: bytes) -> Value:
        """The Value of exactly ``size`` bytes; the content of their padding is ignored."""
        if isinstance(data, SymbolicBytes):
            return data.unpacked(self)  # type: ignore[no-any-return]
        data = bytes(data)
        if len(data) != self.size:
            raise LayoutError(f"{self.title} takes {self.size} bytes on {self.abi.label}, not {len(data)}")
        if self._mask is not None:
            data = (int.from_bytes(data, "little") & self._mask).to_bytes(self.size, "little")
        return value_of(self._class, data)

    # ---- as the type of a nested member

    def read_from(self, data: bytes, offset: int) -> Value:
        return self.unpack(data[offset : offset + self.size])

    def write_into(self, buffer: bytearray, offset: int, value: Any, where: str) -> None:
        if isinstance(value, dict):
            value = self(**value)
        if not isinstance(value, Value) or value.layout is not self:
            raise LayoutError(f"{where} takes a {self.title} on {self.abi.label} or a dict of its fields")
        buffer[offset : offset + self.size] = value._data

    def describe(self) -> str:
        """A table of offsets, sizes, types and holes: ASCII, 72 columns."""
        return render.describe(self, [layout_of(self.tree, abi) for abi in Abi])


class Struct:
    """A C struct on every ABI. Two are equal if they have the same text, apart from comments and line numbers.

    ``trees`` has the ABIs that define it: a header may define a struct for one of them only.
    """

    __slots__ = ("_layouts", "_native", "name", "trees")

    def __init__(self, trees: dict[Abi, CStruct]) -> None:
        self.trees = trees
        self._layouts = {abi: layout_of(tree, abi) for abi, tree in trees.items()}
        self._native = next(iter(self._layouts.values()))
        self.name = self._native.tree.tag

    @property
    def abis(self) -> tuple[Abi, ...]:
        """The ABIs that define it."""
        return tuple(self._layouts)

    def on(self, abi: Abi) -> Layout:
        """Its layout on one ABI; every call returns the same object.

        Raises LayoutError if that ABI does not define it.
        """
        found = self._layouts.get(abi)
        if found is None:
            raise LayoutError(f"{self._native.title} is not defined on {abi.label}")
        return found

    def __call__(self, /, **fields: Any) -> Value:
        """A Value on x86-64; see `Layout.__call__`."""
        return self._native(**fields)

    def __eq__(self, other: object) -> bool:
        return self.trees == other.trees if isinstance(other, Struct) else NotImplemented

    def __hash__(self) -> int:
        return zlib.crc32(self.name.encode())

    def __reduce__(self) -> tuple[Any, ...]:
        return Struct, (self.trees,)

    def __repr__(self) -> str:
        return f"<{self._native.tree.kind} {self.name}>"


def struct(text: str, name: str | None = None) -> Struct:
    """The struct that C text defines: the one called ``name``, or the last one at file scope.

    The text may be part of a header, of a patch or of a mail. Raises LayoutError, with the number of the line,
    if the layout is not certain, and LayoutError if the text defines no struct ``name``.
    """
    return Struct(define(text).find(name))


def compare_abis(s: Struct, width: int = WIDTH) -> str:
    """Both layouts of a struct side by side, the differences in words, and the kernel's rule about them.

    A struct that only one ABI defines is shown as that one lays it out.
    """
    if len(s.abis) == 1:
        (here,) = s.abis
        missing = ", ".join(abi.label for abi in Abi if abi is not here)
        return f"{render.describe(s.on(here), [s.on(here)], width)}\nNot defined on {missing}."
    return render.compare(s.on(Abi.X86_64), s.on(Abi.I386), width)


@cache
def layout_of(tree: CStruct, abi: Abi) -> Layout:
    """The only Layout object of this tree on this ABI, so that layouts can be compared by identity."""
    return Layout(tree, abi)
