"""A World for the transition function, over the traced variables of one atomic step; it keeps the ghosts."""

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

from workbench.checking.environment import MOMENT, is_quiet
from workbench.checking.ghosts import Watch, was_area
from workbench.core.address_map import Region
from workbench.core.host_state import Key
from workbench.core.memory import GPA_LIMIT, PAGE_SHIFT
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, Slot, entry_slot, vcpu_slot
from workbench.core.steps import GUEST, USER, Exit, Moment, Side, ToUser
from workbench.core.vcpu import Vcpu
from workbench.engines.explore.model import BLOCKED
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.cells import MemoryCells
from workbench.engines.explore.vm.variables import MEMSLOTS, Shared, record

Memslots = tuple[Region, ...]


class ViewWorld:
    """What one step in a slot acts on; ``restoring``: it is a step of the event's, while all are paused."""

    def __init__(self, scenario: Scenario, cells: MemoryCells, view: View, slot: Slot, restoring: bool = False) -> None:
        self.scenario = scenario
        self.cells = cells
        self.view = view
        self.slot = slot
        self.restoring = restoring
        self.watch = watch_of(scenario, view)

    # -- guest memory ----------------------------------------------------------------------------------

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        data = None
        present = self._present(gpa, size, write=False)
        if present and self._visible(gpa, size, side):
            data = b"".join(self.view[cell].to_bytes(cell.size, "little") for cell in self.cells.of(gpa, size))
        if side is not GUEST and self.slot.serves_exits:
            self.watch.handler_read(self.slot.cpu, gpa, size, data, private=present and data is None)
        return data

    def poke(self, gpa: int, data: bytes, side: Side) -> bool:
        if not self.backed(gpa, len(data), side):
            return False
        at = 0
        for cell in self.cells.of(gpa, len(data)):
            self.view[cell] = int.from_bytes(data[at : at + cell.size], "little")
            at += cell.size
        if side is not GUEST:
            self.watch.host_wrote(gpa, len(data), self.restoring)
        return True

    def backed(self, gpa: int, size: int, side: Side) -> bool:
        return self._present(gpa, size, write=side is not USER) and self._visible(gpa, size, side)

    def share(self, gpa: int, size: int, shared: bool) -> int:
        frames = pages(gpa, size)
        for frame in frames:
            self.view[Shared(frame)] = shared
        return len(frames)

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
        self.note(key, value)
        if isinstance(key, Key) and key.kind == "area" and value is not None:
            self.note(was_area(key), value)

    def note(self, key: Hashable, value: Any) -> None:
        self.cells.know(key)
        self.view[key] = value

    def now(self) -> Moment:
        return MOMENT

    # -- exits -----------------------------------------------------------------------------------------

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        self.watch.exited(cpu, step.number)
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


def watch_of(scenario: Scenario, view: View) -> Watch:
    """Return the keeper of ghosts for one atomic step."""

    def put(name: Hashable, value: Any) -> None:
        view[name] = value

    return Watch(scenario, view.__getitem__, put)


def pages(gpa: int, size: int) -> range:
    """Return the frame numbers of [gpa, gpa+size)."""
    return range(gpa >> PAGE_SHIFT, ((gpa + max(size, 1) - 1) >> PAGE_SHIFT) + 1)


@cache
def reaches(gpa: int, size: int, write: bool) -> Callable[[Memslots], bool]:
    """A question to the memslots: is all of [gpa, gpa + size) in one of them or in neighbours?"""

    def question(slots: Memslots) -> bool:
        at, end = gpa, gpa + max(size, 1)
        while at < end:
            hit = next((slot for slot in slots if slot.gpa <= at < slot.gpa + slot.size), None)
            if hit is None or (write and hit.readonly):
                return False
            at = hit.gpa + hit.size
        return end <= GPA_LIMIT

    return question
