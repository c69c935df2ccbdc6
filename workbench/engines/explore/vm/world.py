"""A World for the transition function, over the traced variables of one atomic step.

The ghosts are kept here, where the accesses are seen: what the host writes to memory that is somebody
else's, what it reads twice, and where it reaches beyond the unit it was given.
"""

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.hoststate import Key
from workbench.core.memory import PAGE_SHIFT
from workbench.core.scenario import Scenario
from workbench.core.steps import GUEST, USER, Exit, Moment, Side, ToUser
from workbench.core.vcpu import Vcpu
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.atoms import Atoms
from workbench.engines.explore.vm.names import BEYOND, MEMSLOTS, REFETCHED, STRAY, Flag, OwnerOf, Shared

Slots = tuple[tuple[int, int, bool], ...]  # (gpa, size, read-only)

#: The explorer's clock stands still: a payload is fresh or it is not.
MOMENT = Moment(ns=3, tsc=5, run_delay=1)


class ViewWorld:
    """What one step of vCPU ``cpu`` acts on."""

    def __init__(self, scenario: Scenario, atoms: Atoms, view: View, cpu: int) -> None:
        self.scenario = scenario
        self.atoms = atoms
        self.view = view
        self.cpu = cpu

    # -- guest memory ----------------------------------------------------------------------------------

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        if not self.backed(gpa, size, side, write=False):
            return None
        view = self.view
        data = b"".join(view[atom].to_bytes(atom.size, "little") for atom in self.atoms.of(gpa, size))
        if side is not GUEST:
            self._watch_reach(gpa, size)
            self._watch_refetch(gpa, data)
        return data

    def poke(self, gpa: int, data: bytes, side: Side) -> bool:
        if not self.backed(gpa, len(data), side):
            return False
        at = 0
        for atom in self.atoms.of(gpa, len(data)):
            self.view[atom] = int.from_bytes(data[at : at + atom.size], "little")
            at += atom.size
        if side is not GUEST:
            self._watch_reach(gpa, len(data))
            self._watch_owner(gpa)
        return True

    def backed(self, gpa: int, size: int, side: Side, *, write: bool = True) -> bool:
        if not self.view.ask(MEMSLOTS, reaches(gpa, size, write and side is not USER)):
            return False
        if not self.scenario.encrypted or side is GUEST:
            return True
        frames = range(gpa >> PAGE_SHIFT, ((gpa + max(size, 1) - 1) >> PAGE_SHIFT) + 1)
        return all(self.view[Shared(frame)] for frame in frames)

    def share(self, gpa: int, size: int, shared: bool) -> int:
        frames = range(gpa >> PAGE_SHIFT, ((gpa + max(size, 1) - 1) >> PAGE_SHIFT) + 1)
        for frame in frames:
            self.view[Shared(frame)] = shared
        return len(frames)

    # -- what the host remembers, what the guest notes ---------------------------------------------------

    def get(self, key: Hashable) -> Any:
        self.atoms.know(key)
        return self.view[key]

    def set(self, key: Hashable, value: Any) -> None:
        self.atoms.know(key)
        self.view[key] = value
        if isinstance(key, Key) and key.kind == "area" and value is not None:
            self.note(key._replace(kind="was area"), True)

    def note(self, key: Hashable, value: Any) -> None:
        self.atoms.know(key)
        self.view[key] = value

    def now(self) -> Moment:
        return MOMENT

    # -- exits -----------------------------------------------------------------------------------------

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        self.view[fetched(cpu)] = ()
        record: Vcpu = self.view[Flag("record", cpu)]
        return record

    def to_user(self, cpu: int, step: ToUser) -> None:
        return None

    # -- ghosts ----------------------------------------------------------------------------------------

    def _watch_owner(self, gpa: int) -> None:
        unit = self.scenario.addresses.unit_at(gpa)
        if unit is not None and self.view[OwnerOf(unit)] is not None:
            self.view[STRAY] = True

    def _watch_reach(self, gpa: int, size: int) -> None:
        unit = self.scenario.addresses.unit_at(gpa)
        if unit is not None and gpa + size > self.scenario.addresses.gpa(unit) + self._size(unit):
            self.view[BEYOND] = True

    def _size(self, unit: Unit) -> int:
        return self.scenario.addresses.size(unit.what)

    def _watch_refetch(self, gpa: int, data: bytes) -> None:
        unit = self.scenario.addresses.unit_at(gpa)
        if unit is None or unit.what != DESCRIPTOR:
            return
        seen = self.view[fetched(self.cpu)]
        before = dict(seen).get((gpa, len(data)))
        if before is not None and before != data:
            self.view[REFETCHED] = True
        elif before is None:
            self.view[fetched(self.cpu)] = (*seen, ((gpa, len(data)), data))


def fetched(cpu: int) -> Flag:
    """Ghost: what the handler of vCPU ``cpu``'s exit has read of descriptors so far."""
    return Flag("fetched", cpu)


@cache
def reaches(gpa: int, size: int, write: bool) -> Callable[[Slots], bool]:
    """A question to the memslots: is all of [gpa, gpa + size) in one of them or in neighbours?"""

    def question(slots: Slots) -> bool:
        at, end = gpa, gpa + max(size, 1)
        while at < end:
            hit = next((slot for slot in slots if slot[0] <= at < slot[0] + slot[1]), None)
            if hit is None or (write and hit[2]):
                return False
            at = hit[0] + hit[1]
        return end <= 1 << 64

    return question
