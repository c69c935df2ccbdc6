"""Struct values: the contents of a struct as an immutable object with one attribute per field.

Rule: a Value stores only its bytes. Fields are decoded when they are read, so that packing, comparing and hashing
are cheap on the simulator's hot paths. Padding is zero in every Value, so equal fields mean equal bytes.
"""

from __future__ import annotations

import struct as codecs
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from workbench.clayout.abi import Abi
from workbench.clayout.shape import Shape
from workbench.clayout.types import Array, Field, Scalar, is_plain


class Value:
    """The contents of a struct, immutable. Fields are items, and attributes unless Value itself uses the name.

    ``value.base``, ``value["base"]`` and ``value["header.version"]``. Two values are equal if their layouts and
    all their fields are equal. Calling a Layout (or Struct) makes a Value, and so does `Layout.unpack`.
    """

    __slots__ = ("_data",)
    layout: Shape
    _data: bytes

    def pack(self) -> bytes:
        """Its bytes, of the layout's size; padding is zero."""
        return self._data

    def replace(self, /, **fields: Any) -> Value:
        """The same value with some fields changed. Raises LayoutError as `Shape.changed` does."""
        return value_of(type(self), self.layout.changed(self._data, fields))

    def __getitem__(self, name: str) -> Any:
        return self.layout.field(name).read_from(self._data)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.layout.title} has no field {name} ({self.layout.known_fields})")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"values are immutable: use .replace({name}=...)")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        return self._data == other._data and self.layout is other.layout

    def __hash__(self) -> int:
        # hash(bytes) differs from run to run, and so would the order of sets of values.
        return hash(int.from_bytes(self._data, "little"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _value_in, (self.layout, self._data)

    __iter__ = None  # otherwise Python would try value[0], value[1] ...

    def __repr__(self) -> str:
        """Such as ``kvm_memory_area(base=0x1000, size=64)``; arrays of zeros are left out."""
        abi = "" if self.layout.abi is Abi.X86_64 else f"@{self.layout.abi.label}"
        return f"{self.layout.struct_name}{abi}({_fields(self)})"


def _fields(value: Value) -> str:
    shown = ((field.name, value[field.name]) for field in value.layout.fields)
    return ", ".join(f"{name}={_content(content)}" for name, content in shown if not _blank(content))


def _blank(content: Any) -> bool:
    return isinstance(content, (bytes, tuple)) and all(_blank(item) or item == 0 for item in content)


def _content(content: Any) -> str:
    if isinstance(content, int):
        return hex(content) if content >= 1024 else str(content)
    if isinstance(content, tuple):
        return f"[{', '.join(_content(item) for item in content)}]"
    return repr(content) if isinstance(content, bytes) else f"({_fields(content)})"


_new = object.__new__
_set_data: Callable[[Value, bytes], None] = Value.__dict__["_data"].__set__


def value_of(kind: type[Value], data: bytes) -> Value:
    """A Value of class ``kind`` from canonical bytes: of the layout's size, with zero padding."""
    value = _new(kind)
    _set_data(value, data)
    return value


@cache
def value_class(layout: Shape) -> type[Value]:
    """The subclass of Value with a property per field, except for names that Value itself uses."""
    getters = {f.name: property(_getter(f)) for f in layout.fields if not hasattr(Value, f.name)}
    return type(layout.struct_name, (Value,), {**getters, "__slots__": (), "layout": layout})


def _value_in(layout: Shape, data: bytes) -> Value:
    """Rebuild a pickled or copied Value; equal layouts are one object, and so are their classes."""
    return value_of(value_class(layout), data)


def _getter(field: Field) -> Callable[[Value], Any]:
    """A function that reads one field of a value; byte arrays and plain numbers have a fast path."""
    offset, end = field.offset, field.offset + field.size
    if isinstance(field.type, Array) and field.type.as_bytes:
        return lambda value: value._data[offset:end]
    if not is_plain(field):
        return lambda value: field.read_from(value._data)
    if field.size == 1 and not field.signed:
        return lambda value: value._data[offset]
    assert isinstance(field.type, Scalar)
    read = codecs.Struct("<" + field.type.code).unpack_from
    return lambda value: read(value._data, offset)[0]
