"""Facts about one state of the explorer's model, for properties."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from workbench.checking.facts import Facts
from workbench.checking.ghosts import GHOST_KINDS
from workbench.core.host_state import DERIVED, Key
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.machine import ExploredMachine
from workbench.engines.explore.vm.variables import MEMSLOTS, Shared
from workbench.engines.explore.vm.world import pages, reaches


class ViewFacts(Facts):
    """What a predicate may ask of a view of ``machine``'s model."""

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


def asking(machine: ExploredMachine, question: Callable[[Facts], bool]) -> Callable[[View], bool]:
    """Return a property's predicate that asks ``question`` of each state."""
    return lambda view: question(ViewFacts(machine, view))
