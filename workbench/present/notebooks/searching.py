"""Searches in a notebook: asked by names, answered by names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.checking.failures import FAILURES, choose
from workbench.engines.explore import FAILS
from workbench.lifecycle import choose as choose_events
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.explore import Exploration, Question, explore_question
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import Variant


def search(
    protocol: str, event: str, features: Sequence[str], *, vcpus: int = 1, failure: str | None = None
) -> Exploration:
    """Visit every interleaving of an event, and check every failure, or only ``failure`` (its name, title or code).

    Raises WorkbenchError for an unknown name.
    """
    wanted = choose(None if failure is None else [failure])
    return explore_question(Question.of(protocol, event, features, vcpus), wanted)


def verdict(found: Exploration) -> str:
    """Return the verdict about the failure that a search was asked for."""
    (asked,) = found.failures
    return found.result.verdicts[asked.code]


def failing(found: Exploration) -> set[str]:
    """Return the titles of all failures that a search found."""
    return {FAILURES[code].title for code, said in found.result.verdicts.items() if said == FAILS}


@dataclass(frozen=True)
class Searches:
    """What searches of several designs under several events found, and the sizes that were searched."""

    cells: tuple[Cell, ...]
    sizes: tuple[Size, ...]

    def of(self, protocol: str) -> list[Cell]:
        """Return the cells of the design with this name."""
        return [cell for cell in self.cells if cell.protocol == protocol]

    def failing(self, protocol: str) -> set[str]:
        """Return "event: title" of every failure that was found of a design."""
        return {f"{cell.event}: {FAILURES[cell.property].title}" for cell in self.of(protocol) if cell.verdict == FAILS}


def search_all(
    designs: Sequence[Variant], events: Sequence[str], features: Sequence[str],
    progress: Callable[[int, int, object], None] | None = None,
) -> Searches:  # fmt: skip
    """Search designs, one of each protocol, under events for every failure: one vCPU and one feature after the other.

    An event that needs two vCPUs is searched with two, and with the last of the features.
    """
    alone = [Size(1, (feature,)) for feature in features]
    racing = Size(2, (features[-1],))
    happening = choose_events(list(events))
    found: list[Cell] = []
    for needed, sizes in ((1, alone), (2, [racing])):
        chosen = [event for event in happening if event.min_vcpus == needed]
        if chosen:
            found += matrix(designs, chosen, sizes=sizes, progress=progress)
    return Searches(tuple(sorted(found, key=lambda cell: cell.protocol)), (*alone, racing))


__all__ = ["Searches", "failing", "search", "search_all", "verdict"]
