"""Which side may yield which step: one table, from which all engines' checks and the messages are made.

A new step is one line here, and one where it is carried out (``core.driver`` or ``core.transition``).
"""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar

from workbench.core.host_state import Key
from workbench.core.rules.wording import value_said
from workbench.core.steps import (
    GUEST,
    KERNEL,
    USER,
    AllVcpus,
    Backed,
    Cover,
    Exit,
    Get,
    Hypercall,
    Load,
    MarkDirty,
    MmioRead,
    MmioWrite,
    Note,
    Now,
    PioRead,
    PioWrite,
    Quiesce,
    Rdmsr,
    Set,
    Share,
    Side,
    Store,
    StoreMapped,
    ToUser,
    Uncover,
    Wrmsr,
)

Action = TypeVar("Action", bound=Callable[..., Any])

_HOST = frozenset({KERNEL, USER})
_GUEST = frozenset({GUEST})
_BOTH = _HOST | _GUEST

#: The sides whose programs may yield a step.
YIELDED_BY: Mapping[type, frozenset[Side]] = {
    Load: _BOTH,
    Store: _BOTH,
    StoreMapped: _HOST,
    MarkDirty: _HOST,
    Wrmsr: _GUEST,
    Rdmsr: _GUEST,
    Hypercall: _GUEST,
    MmioRead: _GUEST,
    MmioWrite: _GUEST,
    PioRead: _GUEST,
    PioWrite: _GUEST,
    Note: _BOTH,
    Get: _HOST,
    Set: _HOST,
    Backed: _HOST,
    AllVcpus: _HOST,
    Quiesce: _HOST,
    ToUser: _HOST,
    Now: _HOST,
    Share: _HOST,
    Cover: _HOST,
    Uncover: _HOST,
}

#: Steps that the driver makes of others; no program yields them on this side.
_MADE_BY_DRIVER: Mapping[type, frozenset[Side]] = {Exit: _GUEST}

#: What a program of the wrong side wants instead.
_INSTEAD: Mapping[tuple[bool, type], str] = {
    (True, Get): "the guest cannot see the host's state; have the host store it in guest memory, or read it by a Rdmsr",
    (True, Set): "the guest cannot write the host's state; let a Wrmsr reach on_wrmsr, which yields Set",
    (True, StoreMapped): "what a guest writes is always logged; yield Store(gpa, value)",
    (True, Backed): "let the host's handler ask, and answer with FAULT or an error code",
    (True, Share): "the guest asks for it by a hypercall: yield share(gpa, size)",
    (True, Now): "a guest reads the time in a payload, by feature.read",
    (False, Wrmsr): "a host handler writes no guest register; yield Set(register(cpu.index, msr), value)",
    (False, Rdmsr): "a host handler reads no guest register; yield Get(register(cpu.index, msr))",
}


def by_side(actions: Mapping[type, Action]) -> tuple[dict[type, Action], ...]:
    """Return, for each Side in turn, those of ``actions`` (by step) that may come from this side."""
    return tuple(
        {
            kind: action
            for kind, action in actions.items()
            if side in YIELDED_BY.get(kind, ()) or side in _MADE_BY_DRIVER.get(kind, ())
        }
        for side in Side
    )


def allowed(side: Side) -> str:
    """Return the names of the steps that a program of this side may yield."""
    return ", ".join(kind.__name__ for kind, sides in YIELDED_BY.items() if side in sides)


def objection_to_kind(side: Side, kind: type, shown: str) -> str:
    """Say that a step of ``kind``, printed as ``shown``, may not come from ``side``, and what to write."""
    is_guest = side is GUEST
    who, others = ("a guest program", "host handlers") if is_guest else ("a host handler", "guest programs")
    instead = _INSTEAD.get((is_guest, kind), f"it may yield {allowed(side)}")
    return f"{who} yielded {shown}, a step of {others} only; {instead}"


def objection(side: Side, step: Any) -> str:
    """Say what is wrong with a step that may not come from ``side``, and what to write."""
    kind, is_guest = type(step), side is GUEST
    who = "a guest program" if is_guest else "a host handler"
    if kind in YIELDED_BY:
        return objection_to_kind(side, kind, repr(step))
    if isinstance(step, type):
        return f"{who} yielded the class {step.__name__}, not a step; write yield {step.__name__}(...)"
    if hasattr(step, "gi_frame"):
        return f"{who} yielded a generator; write yield from {step.__name__}(...)"
    if isinstance(step, Key):
        key = f"{step.kind}({step.cpu!r}, {step.name!r})"
        return (
            f"{who} yielded the key {key}, not a step; write yield Get(key) or yield Set(key, value), and for a step "
            "yield, not yield from"
        )
    if isinstance(step, tuple | list | set | frozenset) and any(type(one) in YIELDED_BY for one in step):
        return f"{who} yielded {len(step)} steps in a {kind.__name__}; yield one after the other: yield a, then yield b"
    if isinstance(step, FunctionType):
        return f"{who} yielded a function, not a step; call it: yield {step.__name__}(...), or yield from"
    return f"{who} yielded {value_said(step)}, which is not a step; it may yield {allowed(side)}"
