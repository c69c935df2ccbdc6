"""The World of the explorer: steps of programs and of the event act on the variables of one atomic step."""

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from workbench.checking.environment import MOMENTS, is_quiet
from workbench.checking.ghosts import GHOST_KINDS, OwnerOf, was_area
from workbench.core.address_cache import memslots_changed
from workbench.core.address_map import Region, Unit
from workbench.core.event_steps import Begin, OnHost
from workbench.core.host_state import Key
from workbench.core.memory import GPA_LIMIT, PAGE_SIZE
from workbench.core.scenario import believes
from workbench.core.slots import EVENT, Slot, entry_slot, vcpu_slot
from workbench.core.steps import GUEST, KERNEL, USER, Exit, Moment, Side, ToUser
from workbench.core.vcpu import Vcpu
from workbench.engines.explore.model import BLOCKED
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.cells import MemoryCells
from workbench.engines.explore.vm.machine import ExploredMachine
from workbench.engines.explore.vm.sending import SendsMemory, SentCells
from workbench.engines.explore.vm.variables import (
    MEMSLOTS,
    MOVED,
    PAUSED,
    Covered,
    Shared,
    Under,
    pages,
    reaches,
    record,
    stopped,
)
from workbench.errors import WorkbenchError


def uncovered(cells: MemoryCells, view: View, gpa: int) -> bool:
    """Take the host's page away from ``gpa``; return False if there is none."""
    if not view[Covered(gpa)]:
        return False
    view[Covered(gpa)] = False
    for cell in cells.within(gpa, PAGE_SIZE):
        view[cell] = view[Under(*cell)]
        view[Under(*cell)] = 0
    return True


class ViewWorld:
    """The World of one step in a slot; ``restoring``: a step of the event, while all vCPUs are paused."""

    def __init__(self, machine: ExploredMachine, view: View, slot: Slot, restoring: bool = False) -> None:
        self.scenario = machine.scenario
        self.cells = machine.cells
        self.view = view
        self.slot = slot
        self.restoring = restoring
        self.watch = machine.watch(view)
        self.sent = SentCells(machine.cells, view)

    # -- guest memory ----------------------------------------------------------------------------------

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        data = None
        present = self._present(gpa, size, write=False)
        if present and self._visible(gpa, size, side):
            data = b"".join(self.view[cell].to_bytes(cell.size, "little") for cell in self.cells.of(gpa, size))
        if side is not GUEST and self.slot.serves_exits:
            self.watch.handler_read(self.slot.cpu, gpa, size, data, private=present and data is None)
        return data

    def poke(self, gpa: int, data: bytes, side: Side, *, logged: bool = True) -> bool:
        if not self.backed(gpa, len(data), side):
            return False
        if side is not GUEST:
            self.watch.host_writes(gpa, data)
            if self.slot.serves_exits:
                self.watch.handler_wrote(self.slot.cpu, gpa)
        self.sent.writes(gpa, data, side, logged)
        at = 0
        for cell in self.cells.of(gpa, len(data)):
            self.view[cell] = int.from_bytes(data[at : at + cell.size], "little")
            at += cell.size
        if side is not GUEST:
            self.watch.host_wrote(gpa, len(data), self.restoring)
        return True

    def mark_dirty(self, gpa: int, size: int, side: Side) -> None:
        self.sent.mark_dirty(gpa, size, side)

    def backed(self, gpa: int, size: int, side: Side) -> bool:
        return self._present(gpa, size, write=side is not USER) and self._visible(gpa, size, side)

    def share(self, gpa: int, size: int, shared: bool) -> int:
        frames = pages(gpa, size)
        for frame in frames:
            self.view[Shared(frame)] = shared
        return len(frames)

    def cover(self, gpa: int, side: Side) -> bool:
        self.cells.know(Covered(gpa))
        if self.view[Covered(gpa)] or not self.backed(gpa, PAGE_SIZE, side):
            return False
        self.view[Covered(gpa)] = True
        for cell in self.cells.within(gpa, PAGE_SIZE):
            self.view[Under(*cell)] = self.view[cell]
            self.view[cell] = 0
        self.watch.host_covered(gpa)
        self.sent.mark_dirty(gpa, PAGE_SIZE, side)
        return True

    def uncover(self, gpa: int) -> bool:
        self.cells.know(Covered(gpa))
        done = uncovered(self.cells, self.view, gpa)
        if done:
            self.sent.mark_dirty(gpa, PAGE_SIZE, KERNEL)
        return done

    def _present(self, gpa: int, size: int, *, write: bool) -> bool:
        found: bool = self.view.ask(MEMSLOTS, reaches(gpa, size, write))
        return found

    def _visible(self, gpa: int, size: int, side: Side) -> bool:
        if not self.scenario.encrypted or side is GUEST:
            return True
        return all(self.view[Shared(frame)] for frame in pages(gpa, size))

    # -- what the host remembers, what the guest notes ---------------------------------------------------

    def get(self, key: Hashable) -> Any:
        self.cells.know(key)
        return self.view[key]

    def set(self, key: Hashable, value: Any) -> None:
        self.cells.know(key)
        self.watch.host_sets(self.slot.cpu if self.slot.serves_exits else None, key, value)
        self.view[key] = value
        if isinstance(key, Key) and key.kind == "area" and value is not None:
            self.cells.know(was_area(key))
            self.view[was_area(key)] = value

    def note(self, key: Hashable, value: Any) -> None:
        self.cells.know(key)
        self.view[key] = value
        if self.slot.serves_exits:
            self.watch.noted(self.slot.cpu, key, value)

    def now(self) -> Moment:
        return MOMENTS[self.view[MOVED]]

    # -- exits -----------------------------------------------------------------------------------------

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        self.watch.exited(cpu, step)
        self.watch.begins_call(cpu)
        found: Vcpu = self.view[record(cpu)]
        return found

    def to_user(self, cpu: int, step: ToUser) -> None:
        return None

    def vcpus(self) -> tuple[int, ...]:
        return tuple(range(self.scenario.vcpus))

    def quiesce(self, cpu: int) -> Any:
        others = (other for other in self.vcpus() if other != cpu or self.slot == EVENT)
        slots = (slot for other in others for slot in (entry_slot(other), vcpu_slot(other)))
        return None if all(is_quiet(self.view.label(slot)) for slot in slots) else BLOCKED


class EventWorld(SendsMemory):
    """The World of one step of the event: it reads and writes the variables of ``view``."""

    def __init__(self, machine: ExploredMachine, view: View) -> None:
        self._machine = machine
        self._view = view

    # -- vCPUs -----------------------------------------------------------------------------------------

    def cpus(self) -> Iterable[int]:
        return range(self._machine.scenario.vcpus)

    def at_boundary(self, cpu: int) -> bool:
        return self._machine.at_boundary(self._view, cpu)

    def has_finished(self, cpu: int) -> bool:
        return self._view.idle(vcpu_slot(cpu))

    def begin(self, step: Begin) -> None:
        self._view[stopped(step.cpu)] = False
        self._view.start(vcpu_slot(step.cpu), step.program)

    def halt(self, cpu: int, *, for_good: bool) -> None:
        self._view.stop(vcpu_slot(cpu))
        if for_good:
            self._view[stopped(cpu)] = True

    def enter(self, cpu: int) -> None:
        self._machine.watch(self._view).enters(cpu)
        self._view.start(entry_slot(cpu), self._machine.entry_program(cpu))

    def reset(self, cpu: int) -> Vcpu | None:
        """Return the vCPU's record, None if its host has no protocol; INIT's protocol part follows as event steps."""
        found = self.record(cpu)
        return found if found.host.knows_protocol else None

    def pause(self) -> None:
        self._view[PAUSED] = True

    def resume(self) -> None:
        self._view[PAUSED] = False
        self._machine.watch(self._view).goes_on(self._machine.held(self._view))

    # -- the host --------------------------------------------------------------------------------------

    def on_host(self, step: OnHost) -> None:
        """Do nothing: the host program's steps follow as steps of the event."""

    def leave_host(self) -> None:
        self._machine.watch(self._view).left_host(self._machine.held(self._view))
        for name in self._keys():
            if name.kind not in GHOST_KINDS:
                self._view[name] = None
        self._take_off(0, GPA_LIMIT)

    def end(self) -> None:
        self.leave_host()

    def record(self, cpu: int) -> Vcpu:
        found: Vcpu = self._view[record(cpu)]
        return found

    def set_record(self, cpu: int, changed: Vcpu) -> None:
        self._view[record(cpu)] = changed

    def arrive(self) -> None:
        """The clocks are now those of the destination; its memory is what was sent."""
        self.memory_arrives()
        self._view[MOVED] = True
        self._machine.watch(self._view).new_host()

    def reassign(self, unit: Unit) -> None:
        self._view[OwnerOf(unit)] = "other"
        names = (name for name in self._machine.cells.names if isinstance(name, Covered))
        self._machine.watch(self._view).given_away(unit, [name.gpa for name in names if self._view[name]])

    def believes_registered(self, unit: Unit) -> bool:
        belief = believes(unit.cpu, unit.what)
        self._machine.cells.know(belief)
        return bool(self._view[belief] == self._machine.scenario.addresses.gpa(unit))

    def guest_notes(self) -> Iterable[Key]:
        return (name for name in self._keys() if name.kind in GHOST_KINDS)

    def note(self, key: Key, value: Any) -> None:
        self._view[key] = value

    def _keys(self) -> Iterator[Key]:
        return (name for name in self._machine.cells.names if isinstance(name, Key))

    # -- memslots --------------------------------------------------------------------------------------

    def add_memslot(self, gpa: int, size: int, readonly: bool) -> None:
        slots = self._view[MEMSLOTS]
        over = next((slot for slot in slots if slot.gpa < gpa + size and gpa < slot.gpa + slot.size), None)
        if over is not None:
            raise WorkbenchError(
                f"memslot {gpa:#x}+{size:#x} overlaps the one at {over.gpa:#x}+{over.size:#x}; KVM would refuse it"
            )
        self._view[MEMSLOTS] = tuple(sorted((*slots, Region(gpa, size, readonly))))
        self._memslots_changed()

    def delete_memslot(self, gpa: int) -> None:
        gone = self._taken_out(gpa)
        self._take_off(gpa, gone.size)
        for cell in self._machine.memory_in(gpa, gone.size):
            self._view[cell] = 0
        self._make_private(gpa, gone.size)

    def move_memslot(self, gpa: int, to: int) -> None:
        moved = self._taken_out(gpa)
        self._take_off(gpa, moved.size)
        self.add_memslot(to, moved.size, moved.readonly)
        self._make_private(gpa, moved.size)
        cells = self._machine.memory_in(gpa, moved.size)
        content = {cell: self._view[cell] for cell in cells}
        for cell in cells:
            self._view[cell] = 0
        for cell, value in content.items():
            (target,) = self._machine.cells.of(cell.gpa - gpa + to, cell.size)
            self._view[target] = value

    def _taken_out(self, gpa: int) -> Region:
        slots = self._view[MEMSLOTS]
        found: Region | None = next((slot for slot in slots if slot.gpa == gpa), None)
        if found is None:
            begins = ", ".join(f"{slot.gpa:#x}" for slot in slots)
            raise WorkbenchError(f"no memslot begins at gpa {gpa:#x}; memslots begin at: {begins}")
        self._view[MEMSLOTS] = tuple(slot for slot in slots if slot is not found)
        self._memslots_changed()
        return found

    def _memslots_changed(self) -> None:
        memslots_changed(self._machine.cells.names, self._view.__getitem__, self._set)

    def _set(self, key: Key, value: Any) -> None:
        self._machine.watch(self._view).host_sets(None, key, value)
        self._view[key] = value
        if key.kind == "area" and value is not None:
            self._machine.cells.know(was_area(key))
            self._view[was_area(key)] = value

    def _take_off(self, gpa: int, size: int) -> None:
        """Take away the pages of the host over [gpa, gpa + size)."""
        for name in self._machine.cells.names:
            if isinstance(name, Covered) and gpa <= name.gpa < gpa + size:
                uncovered(self._machine.cells, self._view, name.gpa)

    def _make_private(self, gpa: int, size: int) -> None:
        """Make the pages of a deleted memslot private again, for when memory returns there."""
        frames = pages(gpa, size)
        for name in self._machine.met:
            if isinstance(name, Shared) and name.frame in frames:
                self._view[name] = False
