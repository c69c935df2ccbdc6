"""A machine in the explorer: its known memory, entries and programs, and what a view shows of its state."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

from workbench.checking.content import ContentWatch
from workbench.checking.environment import EnvironmentAction, entry, guest_program, program_name
from workbench.checking.facts import Facts
from workbench.checking.ghosts import GHOST_KINDS
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Start
from workbench.core.host_state import DERIVED, Key
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, ProgramName, entry_slot, vcpu_slot
from workbench.engines.explore.positions.positions import Name, Program
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.cells import MemoryCell, MemoryCells
from workbench.engines.explore.vm.variables import MEMSLOTS, PAUSED, Shared, in_guest, pages, reaches
from workbench.errors import WorkbenchError

Answer = TypeVar("Answer")


class ExploredMachine:
    """A scenario adapted by an event, with the memory, names and programs found so far."""

    def __init__(self, scenario: Scenario, event: Event) -> None:
        self.scenario = event.adapt(scenario)
        self.protocol = self.scenario.protocol
        self.event = event
        self.cells = MemoryCells()
        self.met: dict[Hashable, None] = {}  #: further variables found during walks and searches; declared from then on
        self.programs: dict[Name, Program] = {}
        self._starts: dict[ProgramName, Any] = {}

    # -- programs --------------------------------------------------------------------------------------

    def guest_program(self, start: Start) -> ProgramName:
        """Return the name of the program that a Start step starts; register the program if it is new."""
        name = program_name(start)
        known = self._starts.setdefault(name, _identity(start))
        if known != _identity(start):
            raise WorkbenchError(f"event {self.event.name} starts two different programs called {str(name)!r}")
        self.programs.setdefault(name, Program(name, lambda: guest_program(self.scenario, start)))
        return name

    def action_program(self, action: EnvironmentAction) -> EnvironmentAction:
        """Return the name of an action's program, which is the action itself; register the program if it is new."""
        self.programs.setdefault(action, Program(action, lambda: action.program(self.scenario)))
        return action

    def entry_program(self, cpu: int) -> EnvironmentAction:
        """Return the name of the program that makes the pending deliveries when ``cpu`` enters the guest."""
        return self.action_program(entry(cpu))

    # -- what a view of one state shows ------------------------------------------------------------------

    def at_boundary(self, view: View, cpu: int) -> bool:
        """Tell whether vCPU ``cpu`` is at an instruction boundary of its guest, or halted (and still loaded)."""
        return view.idle(entry_slot(cpu)) and in_guest(view.label(vcpu_slot(cpu)))

    def at_rest(self, view: View) -> bool:
        """Tell whether the machine is idle: no program runs, no update is in progress."""
        if not view.idle(EVENT) or view[PAUSED]:
            return False
        cpus = range(self.scenario.vcpus)
        return all(view.idle(vcpu_slot(cpu)) and view.idle(entry_slot(cpu)) for cpu in cpus)

    def memory_in(self, gpa: int, size: int) -> tuple[MemoryCell, ...]:
        """Return the known memory cells in a range."""
        return self.cells.within(gpa, size)

    def held(self, view: View) -> Iterator[tuple[Key, Any]]:
        """Yield the host's entries, derived ones included."""
        for name in self.cells.names:
            if isinstance(name, Key) and name.kind not in GHOST_KINDS:
                value = view[name]
                if value is not None:
                    yield name, value

    def watch(self, view: View) -> ContentWatch:
        """Return the object that updates the ghosts during one atomic step."""

        def get(name: Hashable) -> Any:
            if isinstance(name, Key):
                self.cells.know(name)
            return view[name]

        def put(name: Hashable, value: Any) -> None:
            view[name] = value

        def peek(gpa: int, size: int) -> bytes | None:
            if not view.ask(MEMSLOTS, reaches(gpa, size, False)):
                return None
            return b"".join(view[cell].to_bytes(cell.size, "little") for cell in self.cells.of(gpa, size))

        return ContentWatch(self.scenario, get, put, peek)


class ViewFacts(Facts):
    """The facts that a predicate may query in one state of ``machine``'s model."""

    def __init__(self, machine: ExploredMachine, view: View) -> None:
        self.scenario = machine.scenario
        self._machine = machine
        self._view = view

    def value(self, name: Hashable) -> Any:
        return self._view[name]

    def at_rest(self) -> bool:
        return self._machine.at_rest(self._view)

    def reachable(self, gpa: int, size: int) -> bool:
        if not self._view.ask(MEMSLOTS, reaches(gpa, size, True)):
            return False
        return not self.scenario.encrypted or all(self._view[Shared(frame)] for frame in pages(gpa, size))

    def content(self, gpa: int, size: int) -> Iterator[tuple[int, bytes]]:
        for cell in self._machine.memory_in(gpa, size):
            yield cell.gpa - gpa, self._view[cell].to_bytes(cell.size, "little")

    def held(self) -> Iterator[tuple[Key, Any]]:
        return self._machine.held(self._view)

    def names(self) -> int:
        names = self._machine.cells.names
        return sum(
            1 for key in names if isinstance(key, Key) and key.kind not in DERIVED and key.kind not in GHOST_KINDS
        )


def asking(machine: ExploredMachine, question: Callable[[Facts], Answer]) -> Callable[[View], Answer]:
    """Return a function of a view that evaluates ``question`` in its state."""
    return lambda view: question(ViewFacts(machine, view))


def _identity(start: Start) -> Any:
    """A key that identifies a program by value: bound methods of equal objects are the same program."""
    function: Any = getattr(start.program, "function", start.program)
    owner = getattr(function, "__self__", None)
    return getattr(function, "__func__", function), owner, getattr(start.program, "arguments", ())
