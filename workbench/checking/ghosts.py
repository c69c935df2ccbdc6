"""Ghost variables: facts that properties need but that no program can see, recorded as accesses happen.

Every engine that interleaves steps records them with the same :class:`Watch`, so that a finding of the explorer can be
confirmed on the bytes of a concrete machine. A ghost is either set once and kept (something *has happened*), or reset
as soon as it can no longer matter, because each ghost multiplies the number of states.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from workbench.clayout.layout import Abi
from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.host_state import DERIVED, Key
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import FAULT
from workbench.core.relay import relayed
from workbench.core.scenario import RETAKEN, Scenario, retaken
from workbench.core.steps import Exit, Note, Program, Wrmsr


class Ghost(NamedTuple):
    """A ghost variable of the whole machine, or of one vCPU (``cpu`` >= 0)."""

    name: str
    cpu: int = -1

    def __repr__(self) -> str:
        return self.name if self.cpu < 0 else f"{self.name} of vCPU {self.cpu}"


class OwnerOf(NamedTuple):
    """The owner of a unit of guest memory: None for the kernel that made it, else "other"."""

    unit: Unit

    def __repr__(self) -> str:
        return f"owner of {self.unit.what} of {_whose(self.unit.cpu)} (kernel {self.unit.generation})"


STRAY = Ghost("host wrote memory that is somebody else's")
BEYOND = Ghost("host wrote beyond the unit it was given")
OVERREAD = Ghost("host read beyond the guest's descriptor")
REFETCHED = Ghost("host read the descriptor twice and saw it differ")
UNREADABLE = Ghost("host could not read a private descriptor")
REPLAYED = Ghost("host wrote guest memory while it restored")
RESTORED = Ghost("the host holds registrations that were restored")
RESTORED_OTHERWISE = Ghost("after the restore the host held something else")
ARRIVED_WITHOUT = Ghost("memory arrived without writes that the source had made")
#: The ghosts that are never reset. The value of STRAY, BEYOND and REPLAYED is what was written, a tuple of names that
#: may grow; that of RESTORED_OTHERWISE is (entry, before, after) of each that differs; that of ARRIVED_WITHOUT
#: names what the lost bytes belong to, and is empty if none is lost; the others are set once.
GHOSTS = (STRAY, BEYOND, OVERREAD, REFETCHED, UNREADABLE, REPLAYED, RESTORED, RESTORED_OTHERWISE, ARRIVED_WITHOUT)
#: Those of GHOSTS that are no fault.
HARMLESS = frozenset({RESTORED})
#: What was written, where no unit of a kernel is.
ELSEWHERE = "memory of no kernel"
#: The entries of the source host when the machine left it; emptied when the machine runs again.
LEFT_BEHIND = Ghost("held by the host before")


def fetched(cpu: int) -> Ghost:
    """The descriptor reads so far by the handler of vCPU ``cpu``'s exit (a tuple)."""
    return Ghost("fetched", cpu)


def refused(cpu: int, msr: int) -> Key:
    """The value of a register write that took #GP, until the register is written again."""
    return Key("refused", cpu, msr)


def was_area(key: Key) -> Key:
    """Where the host last served the area named by ``key``, even if it no longer does."""
    return key._replace(kind="was area")


def reading(owner: int, feature: str) -> Key:
    """The value that another vCPU accepted when it read the payload of ``owner``."""
    return Key("read", owner, feature)


#: Kinds of Key that are notes about the guest and its history, not host state.
GHOST_KINDS = frozenset(
    {"believes", "asked", "acknowledges", "attempts", "was area", "refused", "read", "stop heard", "becomes", RETAKEN}
)


def noting_refusals(cpu: int, program: Program) -> Program:
    """Run a guest program, and note each register write that was answered by #GP."""

    def noting(step: Any) -> Program:
        answer = yield step
        if type(step) is Wrmsr and answer is FAULT:
            yield Note(refused(cpu, step.msr), step.value)
        return answer

    return relayed(program, noting)


class Watch:
    """Records the ghosts of a scenario; ``get`` and ``put`` access the engine's state."""

    def __init__(
        self, scenario: Scenario, get: Callable[[Hashable], Any], put: Callable[[Hashable, Any], None]
    ) -> None:
        self.scenario = scenario
        self._get = get
        self._put = put

    def handler_read(self, cpu: int, gpa: int, size: int, data: bytes | None, private: bool) -> None:
        """The handler of vCPU ``cpu``'s exit read [gpa, gpa+size); ``data`` is None if it could not."""
        descriptor = self.scenario.protocol.descriptor
        if descriptor is not None and descriptor.on(self.scenario.abi).size < size == descriptor.on(Abi.X86_64).size:
            self._put(OVERREAD, True)
        unit = self.scenario.unit_at(gpa)
        if unit is None or unit.what != DESCRIPTOR:
            return
        if data is not None:
            self._watch_refetch(cpu, gpa, data)
        elif private:
            self._put(UNREADABLE, True)

    def host_wrote(self, gpa: int, size: int, restoring: bool) -> None:
        """The host wrote [gpa, gpa+size); ``restoring`` tells whether it did so while it restored a machine."""
        addresses = self.scenario.addresses
        unit = self.scenario.unit_at(gpa)
        if restoring:
            self._add(REPLAYED, ELSEWHERE if unit is None else unit.what)
        if unit is None:
            return
        if self._is_others(unit):
            self._add(STRAY, unit.what)
        if gpa + size > addresses.gpa(unit) + addresses.size(unit.what):
            self._add(BEYOND, unit.what)

    def _add(self, ghost: Ghost, what: str) -> None:
        """Add a name to a ghost whose value is a tuple of names."""
        self._put(ghost, tuple(sorted({*(self._get(ghost) or ()), what})))

    def host_covered(self, gpa: int) -> None:
        """The host put a page of its own over the page at ``gpa``, and so over all units in it."""
        for unit in self.scenario.addresses.units_in(gpa, PAGE_SIZE):
            if unit.generation < self.scenario.kernels and self._is_others(unit):
                self._add(STRAY, unit.what)
            if self.scenario.addresses.gpa(unit) != gpa:
                self._add(BEYOND, unit.what)

    def given_away(self, unit: Unit, covered: Iterable[int]) -> None:
        """The memory of ``unit`` has a new owner; ``covered`` are the pages over which the host still has its own."""
        if self.scenario.addresses.is_under(unit, covered):
            self._add(STRAY, unit.what)

    def _is_others(self, unit: Unit) -> bool:
        """Whether a unit was given away, and no kernel of the guest has taken it back."""
        if self._get(OwnerOf(unit)) is None:
            return False
        return not (self.scenario.retakes and self._get(retaken(unit)))

    def exited(self, cpu: int, step: Exit) -> None:
        """An exit of vCPU ``cpu``: forget the reads of the previous handler, and a refusal of the same register."""
        self._put(fetched(cpu), ())
        if step.is_register_access and self._get(refused(cpu, step.number)) is not None:
            self._put(refused(cpu, step.number), None)

    def in_guest(self, cpu: int) -> None:
        """A guest step of vCPU ``cpu``, so none of its handlers is running: forget their reads."""
        self._put(fetched(cpu), ())

    def left_host(self, held: Iterable[tuple[Key, Any]]) -> None:
        """The machine leaves a host that holds these entries."""
        self._put(LEFT_BEHIND, tuple(sorted((entry for entry in held if _is_registration(*entry)), key=repr)))

    def goes_on(self, now_held: Iterable[tuple[Key, Any]]) -> None:
        """The machine runs again: compare the host's entries with those it left behind.

        A host that holds nothing is not reported here: losing all state is another failure.
        """
        before = self._get(LEFT_BEHIND)
        if not before:
            return
        held = dict(now_held)
        after = {key: value for key, value in held.items() if _is_registration(key, value)}
        if after:
            self._put(RESTORED, True)
        left = dict(before)
        differing = (key for key in sorted({*left, *after}, key=repr) if left.get(key) != after.get(key))
        differing = (key for key in differing if key.kind != "area" or not held.get(key._replace(kind="staged")))
        if after and (named := tuple((key, left.get(key), after.get(key)) for key in differing)):
            self._put(RESTORED_OTHERWISE, named)
        self._put(LEFT_BEHIND, ())

    def memory_arrived(self, lost: Iterable[int], host_wrote: bool) -> None:
        """Memory that was sent in rounds has arrived, without what stood at these gpas; had the host written?"""
        names = names_at(self.scenario, lost)
        if names or host_wrote:
            self._put(ARRIVED_WITHOUT, tuple(sorted({*(self._get(ARRIVED_WITHOUT) or ()), *names})))

    def _watch_refetch(self, cpu: int, gpa: int, data: bytes) -> None:
        seen = self._get(fetched(cpu)) or ()
        before = dict(seen).get((gpa, len(data)))
        if before is not None and before != data:
            self._put(REFETCHED, True)
        elif before is None:
            self._put(fetched(cpu), (*seen, ((gpa, len(data)), data)))


def names_at(scenario: Scenario, gpas: Iterable[int]) -> tuple[str, ...]:
    """Return what the bytes at these gpas belong to, by name."""
    units = {scenario.unit_at(gpa) for gpa in gpas}
    return tuple(sorted({ELSEWHERE if unit is None else unit.what for unit in units}))


def _is_registration(key: Key, value: Any) -> bool:
    if not value:
        return False  # a register that holds 0 counts as one that was never written
    return key.kind == "area" or (key.kind not in DERIVED and key.kind not in GHOST_KINDS)


def _whose(cpu: int) -> str:
    return f"vCPU {cpu}" if cpu >= 0 else "the VM"
