"""The transition function of lifecycle events: what each step does to a machine, and when it can be taken.

``workbench.core.transition`` is the same for the steps of programs. Engines provide a :class:`MachineWorld` and the
schedule; all rules are here:

* An interrupt, INIT or the end of a kernel reaches a vCPU between two guest instructions, never inside a handler.
* A host that does not know the protocol delivers nothing at an entry and resets nothing at INIT.
* A new host holds no state of the machine; the vCPUs' records get the configuration of that host.
* A machine that its VMM could not restore has ended: no vCPU runs, nothing is served, no guest believes anything.
* Memory that is sent in rounds arrives as it was sent: before the machine leaves, the last log must have been read.
* When a kernel ends, its programs and its notes are dropped; the VM's notes are dropped with those of vCPU 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from workbench.core.address_map import Unit
from workbench.core.event_steps import (
    AddMemslot,
    Becoming,
    Begin,
    DeleteMemslot,
    Enter,
    Init,
    KernelGone,
    MoveMemslot,
    NewHost,
    OnHost,
    Pause,
    Reassign,
    Resume,
    SendDirty,
    SendMemory,
    Start,
    Stop,
    Wait,
    WaitAll,
)
from workbench.core.host_state import VM, Key
from workbench.core.scenario import RETAKEN, becomes, retaken
from workbench.core.sent_memory import Sending
from workbench.core.vcpu import SET_BY_VMM, Vcpu
from workbench.errors import WorkbenchError


class NotNow(NamedTuple):
    """The answer to a step that cannot be taken in this state: the event waits. ``why`` is a clause for messages."""

    why: str


class MachineWorld(Protocol):
    """The machine on which steps of an event act. Without interleaving, no handler or update is ever under way."""

    def cpus(self) -> Iterable[int]: ...
    def at_boundary(self, cpu: int) -> bool: ...  # between two guest instructions, or halted; no update under way
    def has_finished(self, cpu: int) -> bool: ...  # the vCPU runs no program
    def begin(self, step: Any) -> None: ...  # Start or Begin: the vCPU abandons its program and starts this one
    def halt(self, cpu: int, *, for_good: bool) -> None: ...  # the vCPU abandons its program
    def enter(self, cpu: int) -> None: ...  # the host delivers what is due
    def reset(self, cpu: int) -> Any: ...  # INIT of a host that knows the protocol
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def on_host(self, step: OnHost) -> Any: ...  # the VMM runs a host program
    def leave_host(self) -> None: ...  # the host's state is dropped
    def end(self) -> None: ...  # the same, and there is no other host: the machine does not run any more
    def record(self, cpu: int) -> Vcpu: ...
    def set_record(self, cpu: int, record: Vcpu) -> None: ...
    def arrive(self) -> None: ...  # the machine, with its records, is on the other host
    def sending(self) -> Sending | None: ...  # None: no memory is being sent in rounds
    def send_memory(self, own_log: bool) -> None: ...  # log writes from now on, and send all
    def send_dirty(self, last: bool) -> None: ...  # read the log, and send its pages
    def add_memslot(self, gpa: int, size: int, readonly: bool) -> None: ...
    def delete_memslot(self, gpa: int) -> None: ...
    def move_memslot(self, gpa: int, to: int) -> None: ...
    def reassign(self, unit: Unit) -> None: ...  # the unit's memory has a new owner
    def believes_registered(self, unit: Unit) -> bool: ...  # the guest believes that it is registered, there
    def guest_notes(self) -> Iterable[Key]: ...  # all notes about the guest that may have a value
    def note(self, key: Key, value: Any) -> None: ...


def _not_at_boundary(cpu: int) -> NotNow:
    return NotNow(f"vCPU {cpu} is not at an instruction boundary of its guest")


def _start(world: MachineWorld, step: Start | Begin) -> Any:
    return world.begin(step) if world.at_boundary(step.cpu) else _not_at_boundary(step.cpu)


def _wait(world: MachineWorld, step: Wait) -> Any:
    return None if world.has_finished(step.cpu) else NotNow(f"vCPU {step.cpu} has not finished")


def _wait_all(world: MachineWorld, step: WaitAll) -> Any:
    return next((NotNow(f"vCPU {cpu} has not finished") for cpu in step.cpus if not world.has_finished(cpu)), None)


def _stop(world: MachineWorld, step: Stop) -> Any:
    return world.halt(step.cpu, for_good=True) if world.at_boundary(step.cpu) else _not_at_boundary(step.cpu)


def _enter(world: MachineWorld, step: Enter) -> Any:
    if not world.record(step.cpu).host.knows_protocol:
        return None
    return world.enter(step.cpu) if world.at_boundary(step.cpu) else _not_at_boundary(step.cpu)


def _init(world: MachineWorld, step: Init) -> Any:
    if not world.at_boundary(step.cpu):
        return _not_at_boundary(step.cpu)
    world.halt(step.cpu, for_good=False)
    return world.reset(step.cpu)


def _pause(world: MachineWorld, step: Pause) -> Any:
    for cpu in world.cpus():
        if not world.at_boundary(cpu):
            return _not_at_boundary(cpu)
    return world.pause()


def _send_memory(world: MachineWorld, step: SendMemory) -> None:
    if world.sending() is not None:
        raise WorkbenchError(f"a lifecycle event yielded {step!r} while memory is already being sent")
    world.send_memory(step.own_log)


def _send_dirty(world: MachineWorld, step: SendDirty) -> None:
    sending = world.sending()
    if sending is None or sending.is_over:
        why = "yield SendMemory() first" if sending is None else "the last log has been read"
        raise WorkbenchError(f"a lifecycle event yielded {step!r}, and no memory is being sent; {why}")
    world.send_dirty(step.last)


def _new_host(world: MachineWorld, step: NewHost) -> None:
    sending = world.sending()
    if sending is not None and not sending.is_over:
        raise WorkbenchError(
            f"a lifecycle event yielded {step!r} while memory is being sent; yield SendDirty(last=True) before it"
        )
    world.leave_host()
    for cpu in world.cpus():
        world.set_record(cpu, _on_new_host(world.record(cpu), step.changes))
    world.arrive()


def _on_new_host(before: Vcpu, changes: tuple[tuple[str, Any], ...]) -> Vcpu:
    of_vcpu = {name: value for name, value in changes if name in SET_BY_VMM}
    of_host = {name: value for name, value in changes if name not in of_vcpu}
    return before.but(host=replace(before.host, **of_host), **of_vcpu)


def _becoming(world: MachineWorld, step: Becoming) -> None:
    if step.becomes.is_end:
        world.end()
        for cpu in world.cpus():
            world.halt(cpu, for_good=True)
        for key in list(world.guest_notes()):
            world.note(key, None)
    world.note(becomes(), step.becomes)


def _reassign(world: MachineWorld, step: Reassign) -> None:
    noted = {key for key in world.guest_notes() if key.kind == RETAKEN}
    for unit in step.units:
        if step.keeps_registered and world.believes_registered(unit):
            continue
        world.reassign(unit)
        if retaken(unit) in noted:
            world.note(retaken(unit), None)


def _kernel_gone(world: MachineWorld, step: KernelGone) -> Any:
    for cpu in step.cpus:
        if not world.at_boundary(cpu):
            return _not_at_boundary(cpu)
    for cpu in step.cpus:
        world.halt(cpu, for_good=False)
    gone = {*step.cpus, VM} if 0 in step.cpus else set(step.cpus)
    for key in list(world.guest_notes()):
        if key.cpu in gone and key.kind != RETAKEN:
            world.note(key, None)
    return None


_HAPPEN: dict[type, Callable[[Any, Any], Any]] = {
    Start: _start,
    Begin: _start,
    Wait: _wait,
    WaitAll: _wait_all,
    Stop: _stop,
    Enter: _enter,
    Init: _init,
    Pause: _pause,
    Resume: lambda world, step: world.resume(),
    NewHost: _new_host,
    Becoming: _becoming,
    SendMemory: _send_memory,
    SendDirty: _send_dirty,
    OnHost: lambda world, step: world.on_host(step),
    AddMemslot: lambda world, step: world.add_memslot(step.gpa, step.size, step.readonly),
    DeleteMemslot: lambda world, step: world.delete_memslot(step.gpa),
    MoveMemslot: lambda world, step: world.move_memslot(step.gpa, step.to),
    Reassign: _reassign,
    KernelGone: _kernel_gone,
}


def perform_on_machine(world: MachineWorld, step: Any) -> Any:
    """Do one step of a lifecycle event and return its answer; NotNow if it cannot be taken in this state.

    Raises WorkbenchError for something that is not a step of an event.
    """
    action = _HAPPEN.get(type(step))
    if action is None:
        known = ", ".join(kind.__name__ for kind in _HAPPEN if kind is not Begin)
        raise WorkbenchError(f"a lifecycle event yielded {step!r}, which is not one of its steps: {known}")
    return action(world, step)
