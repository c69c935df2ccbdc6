"""Describes the position of a suspended generator: code, instruction, locals and value stack.

Rule kept here: two positions may only be called equal if they behave alike. A snapshot is taken from TWO
runs with the same history: an object that both runs share came from outside and is identified by identity;
an object that each run created is described by its contents. Anything else raises OpaqueError, and the caller
identifies the position by its history of answers instead.

Source: CPython 3.11+, Objects/genobject.c (gen_traverse visits the locals and the value stack of a
suspended frame, so an iterator that only lives on the stack is seen).
"""

from __future__ import annotations

import collections
import dataclasses
import gc
import types
import warnings
from collections.abc import Iterable
from typing import Any

from workbench.errors import WorkbenchError

Key = Any  # a hashable tree
_ATOMS = (type(None), bool, int, str, bytes, type(Ellipsis), type(NotImplemented))
_IDENTITIES = (type, types.ModuleType, types.CodeType)
_SEQUENCES = (tuple, list, collections.deque)
_SETS = (set, frozenset)


class OpaqueError(Exception):
    """A frame holds an object that cannot be compared with that of another run."""


def snapshot(first: types.GeneratorType, second: types.GeneratorType) -> Key:
    """The position of two equally driven generators as a hashable value; raises OpaqueError."""
    return _Pair().key(first, second)


class _Pair:
    """Walks two runs in lockstep; objects with an identity are numbered, so aliasing is part of the key."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, int], int] = {}
        self.alive: list[Any] = []  # keeps numbered objects alive, so that no id is used twice

    def key(self, a: Any, b: Any) -> Key:
        kind: Any = type(a)
        if kind is not type(b):
            raise OpaqueError(f"a {kind.__name__} in one run, a {type(b).__name__} in another")
        if isinstance(a, _IDENTITIES):
            return self._identity(a, b)
        if kind in _ATOMS:
            return self._equal(a, b)
        if kind in (float, complex):
            return self._equal(repr(a), repr(b))
        if isinstance(a, (frozenset, tuple)):
            return self._contents(a, b)
        if dataclasses.is_dataclass(a) and _compares_by_value(kind):
            if kind.__dataclass_params__.frozen and a == b and _is_hashable(a):
                return (kind, a)  # immutable: the value describes it
            return (kind, self._all(_attributes(a), _attributes(b)))
        if _compares_by_value(kind) and not callable(a):
            return self._equal(a, b)
        return self._numbered(a, b)

    def _identity(self, a: Any, b: Any) -> Key:
        if a is not b:
            raise OpaqueError(f"{type(a).__name__} {a!r} differs between two runs")
        return ("is", _Same(a))

    def _equal(self, a: Any, b: Any) -> Key:
        if a != b:
            raise OpaqueError(f"{a!r} in one run, {b!r} in another")
        try:
            hash(a)
        except (TypeError, ValueError) as error:  # memoryview raises the latter
            raise OpaqueError(f"{a!r} cannot be hashed") from error
        return (type(a), a)

    def _numbered(self, a: Any, b: Any) -> Key:
        """An object with an identity of its own: described once, then referred to by number."""
        pair = (id(a), id(b))
        if pair in self.numbers:
            return ("again", self.numbers[pair])
        self.numbers[pair] = len(self.numbers)
        self.alive += [a, b]
        return self._contents(a, b)

    def _contents(self, a: Any, b: Any) -> Key:
        kind = type(a)
        if isinstance(a, types.GeneratorType):
            return self._generator(a, b)
        if isinstance(a, _SEQUENCES):
            return (kind, self._all(a, b))
        if isinstance(a, dict):
            return (kind, self._all(_flat(a), _flat(b)))
        if isinstance(a, _SETS):
            return (kind, frozenset(self._members(a, b)))
        if kind is bytearray:
            return (kind, bytes(a)) if a == b else self._identity(a, b)
        if isinstance(a, types.CellType):
            return ("cell", self._identity(a, b) if a is b else self._all(_cell(a), _cell(b)))
        if a is b:
            return ("is", _Same(a))
        return self._made_inside(a, b)

    def _made_inside(self, a: Any, b: Any) -> Key:
        """An object that each run created for itself."""
        kind = type(a)
        if isinstance(a, types.FunctionType):
            return (kind, self._all(_function(a), _function(b)))
        if isinstance(a, types.MethodType):
            return (kind, self._all((a.__func__, a.__self__), (b.__func__, b.__self__)))
        if isinstance(a, types.BuiltinMethodType):
            return (kind, a.__name__, self.key(a.__self__, b.__self__))
        if hasattr(a, "__next__"):
            return (kind, self.key(_reduced(a), _reduced(b)))
        if isinstance(a, BaseException):
            return (kind, self.key(a.args, b.args), self.key(vars(a), vars(b)))
        if kind.__flags__ & (1 << 9):  # Py_TPFLAGS_HEAPTYPE: a class written in Python
            return (kind, self._all(_attributes(a), _attributes(b)))
        raise OpaqueError(f"a {kind.__name__} cannot be described")

    def _generator(self, a: types.GeneratorType, b: types.GeneratorType) -> Key:
        frame, other = a.gi_frame, b.gi_frame
        if frame is None or other is None:
            if frame is not other:
                raise OpaqueError("a generator ended in one run only")
            return ("ended", _Same(a.gi_code))
        if a.gi_code is not b.gi_code or frame.f_lasti != other.f_lasti:
            raise OpaqueError(f"generator {a.__qualname__} is at another instruction in another run")
        names = _bound(frame)
        if names != _bound(other):
            raise OpaqueError(f"generator {a.__qualname__} has different locals in another run")
        return ("at", _Same(a.gi_code), frame.f_lasti, names, self._all(_held(a), _held(b)))

    def _members(self, a: Iterable[Any], b: Any) -> list[Key]:
        if a != b:
            raise OpaqueError(f"{a!r} in one run, {b!r} in another")
        return [self.key(item, item) for item in a]

    def _all(self, a: Iterable[Any], b: Iterable[Any]) -> Key:
        left, right = tuple(a), tuple(b)
        if len(left) != len(right):
            raise OpaqueError("containers of different length in two runs")
        return tuple(self.key(x, y) for x, y in zip(left, right, strict=True))


def _compares_by_value(kind: Any) -> bool:
    return kind.__hash__ is not None and kind.__eq__ is not object.__eq__


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


class _Same:
    """Compares by identity, and keeps its object alive so that no id is used twice."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def _bound(frame: types.FrameType) -> tuple[str, ...]:
    """Names of the locals that have a value; without them a list of values would be ambiguous."""
    code, bound = frame.f_code, frame.f_locals
    return tuple(name for name in code.co_varnames + code.co_cellvars + code.co_freevars if name in bound)


def _held(generator: types.GeneratorType) -> list[Any]:
    """Locals and value stack of a suspended generator, with its function.

    Objects made by inspection are left out: reading `gi_frame` creates a frame object, reading `f_locals` a dict.
    """
    frame: Any = generator.gi_frame
    seen_before = frame.f_locals
    return [thing for thing in gc.get_referents(generator) if thing is not frame and thing is not seen_before]


def _flat(mapping: dict) -> list[Any]:
    return [part for item in mapping.items() for part in item]


def _cell(cell: types.CellType) -> tuple:
    try:
        return (cell.cell_contents,)
    except ValueError:  # not yet bound
        return ()


def _function(function: types.FunctionType) -> tuple:
    return (function.__code__, function.__defaults__, function.__kwdefaults__, function.__closure__)


def _attributes(thing: Any) -> list[Any]:
    found = [part for item in getattr(thing, "__dict__", {}).items() for part in item]
    for base in type(thing).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                found += [name, getattr(thing, name)]
    return found


def _reduced(iterator: Any) -> Any:
    """The arguments from which an iterator can be rebuilt; it is not consumed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return iterator.__reduce__()
    except (TypeError, AttributeError) as error:
        raise OpaqueError(f"a {type(iterator).__name__} cannot be described") from error


def differing_locals(runs: list[types.GeneratorType]) -> list[str]:
    """Names of locals that have a different value in each of the given suspended generators."""
    seen: dict[str, list[str]] = {}
    for run in runs:
        current: Any = run
        while isinstance(current, types.GeneratorType) and current.gi_frame is not None:
            for name, value in current.gi_frame.f_locals.items():
                if not isinstance(value, types.GeneratorType):
                    seen.setdefault(f"{current.__qualname__}:{name}", []).append(repr(value))
            current = current.gi_yieldfrom
    return [name for name, values in seen.items() if len(runs) > 1 and len(set(values)) == len(runs)]


def require_generator(program: str, made: Any) -> types.GeneratorType:
    """Return the generator; raise WorkbenchError, naming the program, if it is none."""
    if not isinstance(made, types.GeneratorType):
        raise WorkbenchError(f"program {program}: make() returned a {type(made).__name__}, not a generator")
    return made
