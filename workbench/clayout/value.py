"""Values in a layout: the contents of a struct as an immutable object with an attribute per field.

Rule: a Value is its bytes. Fields are decoded when they are read, so that packing, comparing and hashing cost
nothing extra on the simulator's hot paths; padding is zero in every Value, so equal fields are equal bytes.
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
    """The contents of a struct, immutable: fields are attributes, or items where a name is taken.

    ``value.base``, ``value["base"]`` and ``value["header.version"]``. Values are equal when their layouts and
    all their fields are. They come from a Layout (or Struct) that is called, or that unpacks bytes.
    """

    __slots__ = ("_data",)
    layout: Shape
    _data: bytes

    def pack(self) -> bytes:
        """Its bytes, as many as the layout's size; padding is zero."""
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
        # Not hash(bytes): that differs from run to run, and with it the order of sets of values.
        return hash(int.from_bytes(self._data, "little"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _value_in, (self.layout, self._data)

    __iter__ = None  # or Python would try value[0], value[1] ...

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
    """A Value of class ``kind`` made of canonical bytes: right size, padding zero."""
    value = _new(kind)
    _set_data(value, data)
    return value


@cache
def value_class(layout: Shape) -> type[Value]:
    """The subclass of Value with a property per field; names that Value needs itself stay items only."""
    getters = {f.name: property(_getter(f)) for f in layout.fields if not hasattr(Value, f.name)}
    return type(layout.struct_name, (Value,), {**getters, "__slots__": (), "layout": layout})


def _value_in(layout: Shape, data: bytes) -> Value:
    """What was pickled or copied: equal layouts are one object, and so are their classes."""
    return value_of(value_class(layout), data)


def _getter(field: Field) -> Callable[[Value], Any]:
    """Reads one field of a value; unsigned bytes and plain numbers without a detour."""
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
