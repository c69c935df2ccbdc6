"""What an entry of the host's state and a note of the guest may hold: engines keep, compare and count them by value."""

from enum import Enum
from typing import Any

from workbench.clayout.layout import Value
from workbench.core.outcome import Answer
from workbench.core.rules.wording import value_said
from workbench.core.steps import Note, Set
from workbench.errors import WorkbenchError

_ATOMS = (int, str, bytes, Enum, Value, type(None))
PLAIN = frozenset({int, type(None), bool, str, bytes, Value, Answer})
#: What stands for a feature's area: a number of bytes, or nothing.
GPA_OR_NONE = (int, type(None))
_OF_A_FEATURE = frozenset({"area", "pending", "baseline"})


def wrong_key(step: Set) -> str:
    """Say that an entry has no key of ``core.host_state``, and what to write."""
    return (
        f"Set of the key {step.key!r}: a key is made by area, register, registry, pending or baseline, for example "
        f"registry(cpu.index, {step.key!r})"
    )


def wrong_parts(step: Set) -> str | None:
    """Say what is wrong with the key or the address of an entry; None if nothing is.

    An entry is of a vCPU, by its index, or of VM; ``area``, ``pending`` and ``baseline`` are of a feature, by its name.
    """
    key: Any = step.key
    if not isinstance(key.cpu, int):
        return f"{_key_said(key)}: a key begins with the index of a vCPU, or VM; write {key.kind}(cpu.index, ...)"
    if key.kind in _OF_A_FEATURE and not isinstance(key.name, str):
        return f"{_key_said(key)}: a key ends with the name of a feature; write {key.kind}(..., feature.name)"
    if key.kind == "area" and not isinstance(step.value, GPA_OR_NONE):
        said = value_said(step.value)
        return f"Set of {_key_said(key)} to {said}: it is the address where the host serves the area, an int, or None"
    return None


def _key_said(key: Any) -> str:
    parts = (repr(part) if isinstance(part, int | str) else f"a {type(part).__name__}" for part in key[1:])
    return f"{key.kind}({', '.join(parts)})"


def check_value(step: Set | Note) -> None:
    """Raise WorkbenchError unless the value is immutable. One of a type in PLAIN need not be checked."""
    if not _is_immutable(step.value):
        raise WorkbenchError(_mutable(step))


def unhashable(step: Any) -> str:
    """Say what is wrong with a step that cannot be hashed."""
    if isinstance(step, Set | Note) and not _is_immutable(step.value):
        return _mutable(step)
    return f"yielded {step!r}, which holds a list, dict or set; write a tuple, bytes or frozenset"


def _mutable(step: Set | Note) -> str:
    return (
        f"{type(step).__name__} of the value {value_said(step.value)}: engines keep and compare values, so they "
        f"must be immutable and exact; write {_instead(step.value)}"
    )


def _is_immutable(value: Any) -> bool:
    # No hash: a number that stands for many vCPUs at once has none.
    if isinstance(value, (tuple, frozenset)):
        return PLAIN.issuperset(map(type, value)) or all(map(_is_immutable, value))
    if isinstance(value, _ATOMS):
        return True
    parameters = getattr(type(value), "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


def _instead(value: Any) -> str:
    if isinstance(value, list):
        return "a tuple: tuple(...)"
    if isinstance(value, dict):
        return "a tuple of pairs, or one entry for each: registry(cpu.index, name)"
    if isinstance(value, float) or hasattr(value, "__index__"):
        return "an int: a // b, or int(...)"
    return "a frozenset: frozenset(...)" if isinstance(value, set) else "a number, text, bytes, or a tuple of these"
