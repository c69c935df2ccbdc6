"""The types of fields, and how their values become bytes: integers, arrays and bit ranges.

Rule: no value is truncated to fit. An integer out of range and an array that is too long are refused;
an array that is too short is filled up with zeros, as by a C initializer (C11 6.7.9p21).
"""

from __future__ import annotations

import operator
import struct as codecs
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from workbench.clayout.symbolic import SymbolicBytes, SymbolicNumber
from workbench.errors import LayoutError

_CODES = {(1, False): "B", (2, False): "H", (4, False): "I", (8, False): "Q"}
_CODES.update({(size, True): code.lower() for (size, _), code in list(_CODES.items())})


class Element(Protocol):
    """The interface that scalars, arrays and layouts share. Sizes and offsets in bytes."""

    @property
    def size(self) -> int: ...
    @property
    def covered(self) -> bytes:
        """A mask in which every bit that belongs to a named member is set."""
        ...

    @property
    def declared(self) -> bytes:
        """The mask of all declared bits, unnamed bit-fields included: everything except compiler padding."""
        ...

    def read_from(self, data: bytes, offset: int) -> Any: ...
    def write_into(self, buffer: bytearray, offset: int, value: Any, where: str) -> None: ...


def bounds(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest value of an integer of ``bits`` bits."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def bounded(value: Any, bits: int, signed: bool, where: str) -> int:
    """``value`` as an int. Raises LayoutError, with the allowed range, if it is not an integer that fits."""
    try:
        number = operator.index(value)
    except TypeError:
        raise LayoutError(f"{where} takes an integer, not {type(value).__name__}") from None
    low, high = bounds(bits, signed)
    if not low <= number <= high:
        allowed = f"{low} to {high}" if signed else f"0 to {high:#x}"
        raise LayoutError(f"{where} = {number:#x} does not fit {bits} bits (allowed: {allowed})")
    return number


@dataclass(frozen=True, slots=True)
class Scalar:
    """An integer of 1, 2, 4 or 8 bytes, little-endian unless ``big_endian``."""

    name: str
    size: int
    signed: bool = False
    big_endian: bool = False
    _codec: codecs.Struct = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        order = ">" if self.big_endian else "<"
        object.__setattr__(self, "_codec", codecs.Struct(order + self.code))

    def __reduce__(self) -> tuple[Any, ...]:
        return Scalar, (self.name, self.size, self.signed, self.big_endian)

    @property
    def code(self) -> str:
        """Its format character in the `struct` module."""
        return _CODES[self.size, self.signed]

    @property
    def covered(self) -> bytes:
        return b"\xff" * self.size

    @property
    def declared(self) -> bytes:
        return self.covered

    def pack(self, value: int) -> bytes:
        """The bytes of ``value``. Raises LayoutError if it is outside the type's range."""
        if isinstance(value, SymbolicNumber):
            return value.packed(self)  # type: ignore[no-any-return]
        try:
            return self._codec.pack(value)
        except codecs.error:
            bounded(value, 8 * self.size, self.signed, self.name)
            raise

    def unpack(self, data: bytes) -> int:
        """The value of ``data``. Raises LayoutError if it is not exactly ``size`` bytes."""
        if isinstance(data, SymbolicBytes):
            return data.unpacked(self)  # type: ignore[no-any-return]
        try:
            return int(self._codec.unpack(data)[0])
        except codecs.error:
            raise LayoutError(f"{self.name} takes {self.size} bytes, not {len(data)}") from None

    def read_from(self, data: bytes, offset: int) -> int:
        return int(self._codec.unpack_from(data, offset)[0])

    def write_into(self, buffer: bytearray, offset: int, value: Any, where: str) -> None:
        number = bounded(value, 8 * self.size, self.signed, where)
        self._codec.pack_into(buffer, offset, number)


def scalar(size: int, signed: bool = False, big_endian: bool = False) -> Scalar:
    """The Scalar of this size and sign, with the kernel's short name (u32, s8), or be16 for big-endian."""
    big = big_endian and size > 1
    return Scalar(f"{'be' if big else 's' if signed else 'u'}{8 * size}", size, signed, big)


U8, U16, U32, U64 = (scalar(size) for size in (1, 2, 4, 8))
S8, S16, S32, S64 = (scalar(size, signed=True) for size in (1, 2, 4, 8))


@dataclass(frozen=True, slots=True)
class Array:
    """``count`` elements; the value is a tuple, or bytes for arrays of characters and unsigned bytes.

    A flexible array has no elements, because the memory after the struct is not part of its layout.
    """

    element: Element
    count: int
    as_bytes: bool = False

    @property
    def size(self) -> int:
        return self.count * self.element.size

    @property
    def covered(self) -> bytes:
        return self.element.covered * self.count

    @property
    def declared(self) -> bytes:
        return self.element.declared * self.count

    def read_from(self, data: bytes, offset: int) -> Any:
        if self.as_bytes:
            return data[offset : offset + self.count]
        step = self.element.size
        return tuple(self.element.read_from(data, offset + i * step) for i in range(self.count))

    def write_into(self, buffer: bytearray, offset: int, value: Any, where: str) -> None:
        if not isinstance(value, Iterable) or isinstance(value, str):
            raise LayoutError(f"{where} takes {self.count} values, not {type(value).__name__}")
        values = value if isinstance(value, bytes) else list(value)
        if len(values) > self.count:
            raise LayoutError(f"{where} takes {self.count} values, not {len(values)}")
        element = U8 if self.as_bytes else self.element
        step = element.size
        buffer[offset : offset + self.size] = bytes(self.size)
        if self.as_bytes and isinstance(value, bytes):
            buffer[offset : offset + len(value)] = value
            return
        for i, item in enumerate(values):
            element.write_into(buffer, offset + i * step, item, f"{where}[{i}]")


@dataclass(frozen=True, slots=True)
class Field:
    """One named member. ``ctype`` is its type as spelled in the text, ``size`` the number of bytes it touches.

    For a bit-field, ``offset`` is the byte of its first bit, ``bit_offset`` (0 to 7) the position of that bit in
    the byte, and ``bit_width`` its number of bits; otherwise ``bit_offset`` and ``bit_width`` are None.
    """

    name: str
    offset: int
    size: int
    type: Element
    ctype: str
    bit_offset: int | None = None
    bit_width: int | None = None

    @property
    def bits(self) -> range:
        """The range of the struct's bits that it occupies."""
        first = 8 * self.offset + (self.bit_offset or 0)
        return range(first, first + (8 * self.size if self.bit_width is None else self.bit_width))

    @property
    def signed(self) -> bool:
        return isinstance(self.type, Scalar) and self.type.signed

    def read_from(self, data: bytes) -> Any:
        """Read its value from the bytes of a whole struct."""
        if self.bit_width is None:
            return self.type.read_from(data, self.offset)
        chunk = int.from_bytes(data[self.offset : self.offset + self.size], "little")
        value = (chunk >> (self.bit_offset or 0)) & ((1 << self.bit_width) - 1)
        negative = self.signed and value >> (self.bit_width - 1)
        return value - (1 << self.bit_width) if negative else value

    def write_into(self, buffer: bytearray, value: Any, where: str) -> None:
        """Write a value into the bytes of a whole struct; ``where`` names the field in error messages."""
        if self.bit_width is None:
            self.type.write_into(buffer, self.offset, value, where)
            return
        number = bounded(value, self.bit_width, self.signed, where)
        ones = ((1 << self.bit_width) - 1) << (self.bit_offset or 0)
        reach = slice(self.offset, self.offset + self.size)
        rest = int.from_bytes(buffer[reach], "little") & ~ones
        merged = rest | ((number << (self.bit_offset or 0)) & ones)
        buffer[reach] = merged.to_bytes(self.size, "little")


def is_plain(field: Field) -> bool:
    """Is the field one little-endian number, so that one `struct` format can pack it with other fields?"""
    return isinstance(field.type, Scalar) and field.bit_width is None and not field.type.big_endian


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes that no member occupies; ``kind`` is "hole" between members and "tail" at the struct's end."""

    offset: int
    size: int
    kind: str
