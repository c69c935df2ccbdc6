"""The transition function: what each step of a program does to guest memory and to the host's state.

Every engine that models the host calls :func:`perform` with its own :class:`World` (bytes and dictionaries in the
simulator, traced variables in the explorer). This file contains no rules of a protocol and no bookkeeping of an engine.
"""

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from workbench.clayout.layout import Abi, Layout, Scalar, Struct
from workbench.core.host_state import Key, old_clock
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import HANDLED
from workbench.core.rules.sides import by_side, objection
from workbench.core.rules.values import GPA_OR_NONE, PLAIN, check_value, wrong_key, wrong_parts
from workbench.core.steps import (
    GUEST,
    AllVcpus,
    Backed,
    Cover,
    Exit,
    Get,
    Load,
    MarkDirty,
    Moment,
    Note,
    Now,
    Quiesce,
    Set,
    Share,
    Side,
    Store,
    StoreMapped,
    ToUser,
    Uncover,
)
from workbench.core.vcpu import Vcpu
from workbench.errors import WorkbenchError


class World(Protocol):
    """The state on which a step acts. ``peek`` and ``poke`` follow the rules of :class:`GuestMemory`."""

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None: ...
    def poke(self, gpa: int, data: bytes, side: Side, *, logged: bool = True) -> bool: ...
    def mark_dirty(self, gpa: int, size: int, side: Side) -> None: ...
    def backed(self, gpa: int, size: int, side: Side) -> bool: ...
    def share(self, gpa: int, size: int, shared: bool) -> int: ...
    def cover(self, gpa: int, side: Side) -> bool: ...  # gpa: of a page
    def uncover(self, gpa: int) -> bool: ...
    def get(self, key: Hashable) -> Any: ...
    def set(self, key: Hashable, value: Any) -> None: ...
    def note(self, key: Hashable, value: Any) -> None: ...
    def now(self) -> Moment: ...
    def leave(self, cpu: int, step: Exit) -> Vcpu: ...
    def to_user(self, cpu: int, step: ToUser) -> None: ...
    def vcpus(self) -> tuple[int, ...]: ...
    def quiesce(self, cpu: int) -> Any: ...


def layout_of(what: Any) -> Layout | Scalar | int:
    """Return the layout of what a Load or Store accesses; a Struct means its x86-64 layout."""
    return what.on(Abi.X86_64) if isinstance(what, Struct) else what


def size_of(what: Any) -> int:
    """Return the number of bytes that a Load of ``what`` touches."""
    what = layout_of(what)
    return what if isinstance(what, int) else what.size


def encode(step: Store | StoreMapped) -> bytes:
    """Return the bytes that a Store writes; raise WorkbenchError for an int without its Scalar."""
    value, what = step.value, step.what
    if what is not None:
        packed: bytes = what.pack(value)
        return packed
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        name = type(step).__name__
        raise WorkbenchError(f"{name} of the number {value:#x} at gpa {step.gpa:#x}: say how wide it is, e.g. U32")
    data: bytes = value.pack()
    return data


def decode(what: Any, data: bytes) -> Any:
    """Return the value that a Load of ``what`` answers with for these bytes."""
    what = layout_of(what)
    return data if isinstance(what, int) else what.unpack(data)


def _load(world: World, cpu: int, side: Side, step: Load) -> Any:
    size = size_of(step.what)
    data = world.peek(step.gpa, size, side)
    if data is None:
        if side is not GUEST:
            return None
        # A guest access outside every memslot is MMIO: KVM passes it to the VMM, which answers with all ones.
        _unassigned(world, cpu, step.gpa)
        data = b"\xff" * size
    return decode(step.what, data)


def _store(world: World, cpu: int, side: Side, step: Store) -> bool:
    if world.poke(step.gpa, encode(step), side):
        return True
    if side is GUEST:
        _unassigned(world, cpu, step.gpa)
        return True
    return False


def _store_mapped(world: World, cpu: int, side: Side, step: StoreMapped) -> bool:
    return world.poke(step.gpa, encode(step), side, logged=False)


def _unassigned(world: World, cpu: int, gpa: int) -> None:
    world.leave(cpu, Exit("mmio", gpa))
    world.to_user(cpu, ToUser("nobody's device"))


def _share(world: World, cpu: int, side: Side, step: Share) -> Any:
    world.share(step.gpa, step.size, step.shared)
    return HANDLED


def moment_of(world: World) -> Moment:
    """The time, and whether it is one for all vCPUs: KVM reads both together (kvm_guest_time_update, pvclock_sc)."""
    moment = world.now()
    return moment if world.get(old_clock()) is None else moment._replace(stable=False)


def _page(step: Cover | Uncover) -> int:
    if step.gpa % PAGE_SIZE:
        raise WorkbenchError(f"{step!r}: {step.gpa:#x} is not the address of a page of {PAGE_SIZE} bytes")
    return step.gpa


def _set(world: World, cpu: int, side: Side, step: Set) -> None:
    key: Any = step.key
    value: Any = step.value
    kind = type(value)
    if type(key) is not Key:
        raise WorkbenchError(wrong_key(step))
    if type(key[1]) is not int or (key[0] == "area" and (kind not in GPA_OR_NONE or type(key[2]) is not str)):
        wrong = wrong_parts(step)
        if wrong is not None:
            raise WorkbenchError(wrong)
    if kind is tuple:  # looked at here: a call for each would cost as much as the look
        for one in value:
            if type(one) not in PLAIN:
                check_value(step)
                break
    elif kind not in PLAIN:
        check_value(step)
    world.set(key, value)


def _note(world: World, cpu: int, side: Side, step: Note) -> None:
    key, value = step
    if type(value) not in PLAIN:
        check_value(step)
    world.note(key, value)


_ACTIONS: dict[type, Callable[[World, int, Side, Any], Any]] = {
    Load: _load,
    Store: _store,
    StoreMapped: _store_mapped,
    MarkDirty: lambda world, cpu, side, step: world.mark_dirty(step.gpa, step.size, side),
    Share: _share,
    Get: lambda world, cpu, side, step: world.get(step.key),
    Set: _set,
    Backed: lambda world, cpu, side, step: world.backed(step.gpa, step.size, side),
    Cover: lambda world, cpu, side, step: world.cover(_page(step), side),
    Uncover: lambda world, cpu, side, step: world.uncover(_page(step)),
    Now: lambda world, cpu, side, step: moment_of(world),
    Note: _note,
    Exit: lambda world, cpu, side, step: world.leave(cpu, step),
    ToUser: lambda world, cpu, side, step: world.to_user(cpu, step),
    AllVcpus: lambda world, cpu, side, step: world.vcpus(),
    Quiesce: lambda world, cpu, side, step: world.quiesce(cpu),
}


#: For each side, the actions of the steps that may come from it.
_PERFORM = by_side(_ACTIONS)


def perform(world: World, cpu: int, side: Side, step: Any) -> Any:
    """Do one step of vCPU ``cpu`` on ``world`` and return its answer.

    Raises WorkbenchError for something that is not a step, or not one of this side.
    """
    action = _PERFORM[side].get(type(step))
    if action is None:
        raise WorkbenchError(objection(side, step))
    return action(world, cpu, side, step)
