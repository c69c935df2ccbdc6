"""What each step of a lifecycle event does to the explorer's model, and when it can be taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.checking.environment import entry_slot, vcpu_slot
from workbench.checking.ghosts import GHOST_KINDS, OwnerOf
from workbench.core.event_steps import (
    AddMemslot,
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
    Stop,
    Wait,
    WaitAll,
)
from workbench.core.host_state import VM, Key
from workbench.engines.explore.model import BLOCKED
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.variables import MEMSLOTS, PAUSED, PauseAs, record, stopped
from workbench.engines.explore.vm.world import watch_of

if TYPE_CHECKING:
    from workbench.engines.explore.vm.model import MachineModel


def _start(machine: MachineModel, view: View, step: Begin) -> Any:
    # An interrupt reaches a vCPU between two guest instructions, never inside the host's handler.
    if not machine.may_enter(view, step.cpu):
        return BLOCKED
    view[stopped(step.cpu)] = False
    view.start(vcpu_slot(step.cpu), step.program)
    return None


def _wait(machine: MachineModel, view: View, step: Wait) -> Any:
    return None if view.idle(vcpu_slot(step.cpu)) else BLOCKED


def _wait_all(machine: MachineModel, view: View, step: WaitAll) -> Any:
    return None if all(view.idle(vcpu_slot(cpu)) for cpu in step.cpus) else BLOCKED


def _stop(machine: MachineModel, view: View, step: Stop) -> Any:
    if not machine.may_enter(view, step.cpu):
        return BLOCKED
    view.stop(vcpu_slot(step.cpu))
    view[stopped(step.cpu)] = True
    return None


def _enter(machine: MachineModel, view: View, step: Enter) -> Any:
    if not view[record(step.cpu)].host.knows_protocol:
        return None
    if not machine.may_enter(view, step.cpu):
        return BLOCKED
    view.start(entry_slot(step.cpu), machine.entry_program(step.cpu))
    return None


def _init(machine: MachineModel, view: View, step: Init) -> Any:
    if not machine.may_enter(view, step.cpu):
        return BLOCKED
    view.stop(vcpu_slot(step.cpu))
    return view[record(step.cpu)].host.knows_protocol  # then the protocol's own part of INIT follows


def _pause(machine: MachineModel, view: View, step: Pause | PauseAs) -> Any:
    for cpu in range(machine.scenario.vcpus):
        if not machine.may_enter(view, cpu):
            return BLOCKED
    view[PAUSED] = True
    return None


def _resume(machine: MachineModel, view: View, step: Resume) -> Any:
    view[PAUSED] = False
    watch_of(machine.scenario, machine.cells, view).goes_on(machine.held(view))
    return None


def _new_host(machine: MachineModel, view: View, step: NewHost) -> Any:
    watch_of(machine.scenario, machine.cells, view).left_host(machine.held(view))
    machine.changed_host(view, dict(step.changes))
    return None


def _add_slot(machine: MachineModel, view: View, step: AddMemslot) -> Any:
    view[MEMSLOTS] = tuple(sorted((*view[MEMSLOTS], (step.gpa, step.size, step.readonly))))
    return None


def _delete_slot(machine: MachineModel, view: View, step: DeleteMemslot) -> Any:
    slots = view[MEMSLOTS]
    gone = [slot for slot in slots if slot[0] == step.gpa]
    if not gone:
        return BLOCKED
    view[MEMSLOTS] = tuple(slot for slot in slots if slot[0] != step.gpa)
    for cell in machine.memory_in(step.gpa, gone[0][1]):
        view[cell] = 0
    for page in machine.pages_in(step.gpa, gone[0][1]):
        view[page] = False  # what may come back there is private
    return None


def _move_slot(machine: MachineModel, view: View, step: MoveMemslot) -> Any:
    slots = view[MEMSLOTS]
    moved = next((slot for slot in slots if slot[0] == step.gpa), None)
    if moved is None:
        return BLOCKED
    _, size, readonly = moved
    others = tuple(slot for slot in slots if slot[0] != step.gpa)
    view[MEMSLOTS] = tuple(sorted((*others, (step.to, size, readonly))))
    cells = machine.memory_in(step.gpa, size)
    content = {cell: view[cell] for cell in cells}
    for cell in cells:
        view[cell] = 0
    for cell, value in content.items():
        (target,) = machine.cells.of(cell.gpa - step.gpa + step.to, cell.size)
        view[target] = value
    return None


def _disown(machine: MachineModel, view: View, step: Reassign) -> Any:
    for unit in step.units:
        view[OwnerOf(unit)] = "other"
    return None


def _forget(machine: MachineModel, view: View, step: KernelGone) -> Any:
    # With the kernel go the programs it runs, at an instruction boundary of each vCPU.
    if not all(machine.may_enter(view, cpu) for cpu in step.cpus):
        return BLOCKED
    for cpu in step.cpus:
        view.stop(vcpu_slot(cpu))
    gone = {*step.cpus, VM} if 0 in step.cpus else set(step.cpus)
    for name in machine.cells.names:
        if isinstance(name, Key) and name.cpu in gone and name.kind in GHOST_KINDS:
            view[name] = None
    return None


def _on_host(machine: MachineModel, view: View, step: OnHost) -> Any:
    return None  # the event's program goes on with the host's steps


EVENT_STEPS: dict[type, Callable[[MachineModel, View, Any], Any]] = {
    Begin: _start,
    Wait: _wait,
    WaitAll: _wait_all,
    Stop: _stop,
    Enter: _enter,
    Init: _init,
    Pause: _pause,
    PauseAs: _pause,
    Resume: _resume,
    NewHost: _new_host,
    OnHost: _on_host,
    AddMemslot: _add_slot,
    DeleteMemslot: _delete_slot,
    MoveMemslot: _move_slot,
    Reassign: _disown,
    KernelGone: _forget,
}
