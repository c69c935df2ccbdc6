"""What an entry of the host's state and a note of the guest may hold: engines keep, compare and count them by value."""

from enum import Enum
from typing import Any

from workbench.clayout.layout import Value
from workbench.core.outcome import Answer
from workbench.core.steps import Note, Set
from workbench.errors import WorkbenchError

_ATOMS = (int, str, bytes, float, Enum, Value, type(None))
PLAIN = frozenset({int, type(None), bool, str, bytes, Value, Answer})


def wrong_key(step: Set) -> str:
    """Say that an entry has no key of ``core.host_state``, and what to write."""
    return (
        f"Set of the key {step.key!r}: a key is made by area, register, registry, pending or baseline, for example "
        f"registry(cpu.index, {step.key!r})"
    )


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
        f"{type(step).__name__} of the value {step.value!r}: engines keep and compare values, so they "
        f"must be immutable; write {_instead(step.value)}"
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
    return "a frozenset: frozenset(...)" if isinstance(value, set) else "a number, text, bytes, or a tuple of these"
