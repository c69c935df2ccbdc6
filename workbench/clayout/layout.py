"""ABI layouts from the C text an engineer would paste: structs, their layouts, and values in them.

    area = struct("struct kvm_memory_area { __u64 base; __u32 size; __u32 type; __u8 result; __u8 pad[3]; };")
    area.on(Abi.X86_64).size, area.on(Abi.I386).size        # 24, 20
    area(base=0x1000, size=64).pack()                       # 24 bytes

Rules: a struct is one thing and has one layout per ABI; padding the compiler adds is always zero in a Value
and ignored when bytes are read; text that has no certain layout raises LayoutError, it is never guessed.

Source: the System V psABIs as gcc implements them; the rules are numbered in `placement`.
"""

from __future__ import annotations

import struct as codecs
import zlib
from functools import cache
from itertools import combinations
from typing import Any, NoReturn

from workbench.clayout import parser, render
from workbench.clayout.abi import Abi, place
from workbench.clayout.fields import any_overlap, codec_of, holes_of, map_fields, moved, share_bits
from workbench.clayout.symbolic import SymbolicBytes, SymbolicNumber
from workbench.clayout.tree import CStruct
from workbench.clayout.types import S8, S16, S32, S64, U8, U16, U32, U64, Array, Field, Hole, Scalar, is_plain
from workbench.clayout.value import Value, value_class, value_of
from workbench.errors import LayoutError

__all__ = [
    "S8", "S16", "S32", "S64", "U8", "U16", "U32", "U64",
    "Abi", "Array", "Field", "Hole", "Layout", "Scalar", "Struct", "Value", "compare_abis", "struct",
]  # fmt: skip


class Layout:
    """A struct as one ABI lays it out. Sizes and offsets in bytes; immutable and hashable.

    ``fields`` are in order of offset as declared, those of anonymous members among them; ``holes`` is the
    padding that the compiler adds, inside nested structs too, not explicit pad members.
    """

    __slots__ = (
        "_class", "_codec", "_composite", "_defaults", "_index", "_mask", "_overlaps",
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
    _mask: int | None
    _codec: codecs.Struct | None
    _defaults: dict[str, int | bytes]
    _composite: frozenset[str]
    _overlaps: bool
    _class: type[Value]

    def __init__(self, tree: CStruct, abi: Abi) -> None:
        placed, mapped = place(tree, abi), map_fields(tree, abi, layout_of)
        fields = mapped.fields
        covered, declared = (bits.to_bytes(placed.size, "little") for bits in (mapped.covered, mapped.declared))
        full = covered.count(0xFF) == placed.size
        self._set(
            struct_name=tree.tag or f"(anonymous {tree.kind})", abi=abi, size=placed.size, align=placed.align,
            fields=fields, holes=holes_of(declared), tree=tree, covered=covered, declared=declared,
            _index={field.name: field for field in fields}, _mask=None if full else mapped.covered,
            _codec=codec_of(fields, placed.size), _overlaps=any_overlap(fields),
            _defaults={f.name: 0 if is_plain(f) else b"" for f in fields},
            _composite=frozenset(f.name for f in fields if not is_plain(f)),
        )  # fmt: skip
        self._set(_class=value_class(self))

    def _set(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("layouts are immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return layout_of, (self.tree, self.abi)

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
        """A part of error messages: the names there are."""
        return f"fields: {', '.join(self._index) or 'none'}"

    # ---- values

    def __call__(self, /, **fields: Any) -> Value:
        """A Value with these fields, all others zero.

        Raises LayoutError for a name that is no field, for a value that does not fit its field, and for two
        members of a union that share bytes.
        """
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
                    pass  # _changed does it field by field, and so can name the one that is wrong
        return self._changed(bytes(self.size), fields)

    def _changed(self, data: bytes, fields: dict[str, Any]) -> Value:
        buffer = bytearray(data)
        if self._overlaps:
            self._refuse_overlaps(fields)
        for name, content in fields.items():
            self._known(name).write_into(buffer, content, f"{self.struct_name}.{name}")
        return value_of(self._class, bytes(buffer))

    def _refuse_overlaps(self, fields: dict[str, Any]) -> None:
        for one, other in combinations([self._known(name) for name in fields], 2):
            if share_bits(one, other):
                raise LayoutError(f"{self.title}: {one.name} and {other.name} share bytes, give one of them")

    def pack(self, value: Value) -> bytes:
        """The bytes of a Value of this layout."""
        if getattr(value, "layout", None) is self:
            return value._data
        raise LayoutError(f"{self!r} cannot pack {value!r}")

    def unpack(self, data: bytes) -> Value:
        """The Value of exactly ``size`` bytes, whatever their padding holds."""
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

    # ---- questions

    def _known(self, name: str) -> Field:
        found = self._index.get(name)
        if found is None:
            raise LayoutError(f"{self.title} has no field {name} ({self.known_fields})")
        return found

    def field(self, name: str) -> Field:
        """A field by its name, ``outer.inner`` for nested ones; its offset counts from this struct's start.

        Raises LayoutError for a name that is no field.
        """
        head, dot, rest = name.partition(".")
        found = self._known(head)
        if not dot:
            return found
        if not isinstance(found.type, Layout):
            raise LayoutError(f"{self.title}: {head} is a {found.ctype}, it has no field {rest}")
        return moved(found.type.field(rest), found.offset, name)

    def offset_of(self, name: str) -> int:
        """Offset in bytes of a field, dotted names allowed."""
        return self.field(name).offset

    def describe(self) -> str:
        """A table of offsets, sizes, types and holes for people: ASCII, 72 columns."""
        return render.describe(self, [layout_of(self.tree, abi) for abi in Abi])


class Struct:
    """A C struct, whatever the ABI. Equal to any other of the same text, comments and line numbers aside."""

    __slots__ = ("_layouts", "_native", "name", "tree")

    def __init__(self, tree: CStruct) -> None:
        self.name = tree.tag
        self.tree = tree
        self._layouts = {abi: layout_of(tree, abi) for abi in Abi}
        self._native = self._layouts[Abi.X86_64]

    def on(self, abi: Abi) -> Layout:
        """Its layout on one ABI, always the same object."""
        return self._layouts[abi]

    def __call__(self, /, **fields: Any) -> Value:
        """A Value on x86-64; see `Layout.__call__`."""
        return self._native(**fields)

    def __eq__(self, other: object) -> bool:
        return self.tree == other.tree if isinstance(other, Struct) else NotImplemented

    def __hash__(self) -> int:
        return zlib.crc32(self.name.encode())

    def __reduce__(self) -> tuple[Any, ...]:
        return Struct, (self.tree,)

    def __repr__(self) -> str:
        return f"<{self.tree.kind} {self.name}>"


def struct(text: str, name: str | None = None) -> Struct:
    """The struct that C text defines: the one called ``name``, or the last one at file scope.

    The text may be part of a header, of a patch or of a mail. Raises LayoutError, one line with the line's
    number, for text that has no certain layout and for a name that is not in it.
    """
    found = parser.parse(text)
    if not found:
        raise LayoutError("no struct definition in the text")
    if name is not None and name not in found:
        raise LayoutError(f"no struct {name} in the text (it defines: {', '.join(found)})")
    return Struct(found[name if name is not None else list(found)[-1]])


def compare_abis(s: Struct) -> str:
    """Both layouts of a struct side by side, in words what differs, and the kernel's rule for it."""
    return render.compare(s.on(Abi.X86_64), s.on(Abi.I386))


@cache
def layout_of(tree: CStruct, abi: Abi) -> Layout:
    """The one Layout object of that tree on that ABI, so that layouts can be compared by identity."""
    return Layout(tree, abi)
