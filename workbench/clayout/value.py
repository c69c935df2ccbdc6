"""Values in a layout: the contents of a struct as an immutable object with an attribute per field.

Rule: a Value is its bytes. Fields are decoded when they are read, so that packing, comparing and hashing cost
nothing extra on the simulator's hot paths; padding is zero in every Value, so equal fields are equal bytes.
"""

from __future__ import annotations

import struct as codecs
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from workbench.clayout import render
from workbench.clayout.types import Array, Field, Scalar, is_plain

if TYPE_CHECKING:
    from workbench.clayout.layout import Layout


class Value:
    """The contents of a struct, immutable: fields are attributes, or items where a name is taken.

    ``value.base``, ``value["base"]`` and ``value["header.version"]``. Values are equal when their layouts and
    all their fields are. They come from a Layout (or Struct) that is called, or that unpacks bytes.
    """

    __slots__ = ("_data",)
    layout: Layout
    _data: bytes

    def pack(self) -> bytes:
        """Its bytes, as many as the layout's size; padding is zero."""
        return self._data

    def replace(self, /, **fields: Any) -> Value:
        """The same value with some fields changed. Raises LayoutError as `Layout.__call__` does."""
        return self.layout._changed(self._data, fields)

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
        return self.layout.unpack, (self._data,)

    __iter__ = None  # or Python would try value[0], value[1] ...

    def __repr__(self) -> str:
        return render.represent(self)

_new = object.__new__
_set_data: Callable[[Value, bytes], None] = Value.__dict__["_data"].__set__


def value_of(kind: type[Value], data: bytes) -> Value:
    """A Value of class ``kind`` made of canonical bytes: right size, padding zero."""
    value = _new(kind)
    _set_data(value, data)
    return value


def value_class(layout: Layout) -> type[Value]:
    """A subclass of Value with a property per field; names that Value needs itself stay items only."""
    getters = {f.name: property(_getter(f)) for f in layout.fields if not hasattr(Value, f.name)}
    return type(layout.struct_name, (Value,), {**getters, "__slots__": (), "layout": layout})


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
