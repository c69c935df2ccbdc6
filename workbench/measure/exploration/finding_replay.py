"""A finding, recorded: the schedule that leads to it, which a simulated machine can take again, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.checking.failures import choose as choose_failures
from workbench.engines.explore.vm import Bounds
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import choose as choose_events
from workbench.measure.exploration.explore import Question, confirm
from workbench.measure.variants import variant


@dataclass(frozen=True)
class RecordedFinding:
    """What is needed to take a schedule again: the question, the property, and the turns (actor, step)."""

    protocol: str  #: as on a command line: NAME, path/to/file.py:Class, with +mitigation
    event: str
    features: Sequence[str]
    vcpus: int
    property: str
    turns: Sequence[tuple[str, str]]
    updates: int = 1
    reads: int = 0

    def question(self) -> Question:
        """Return what was explored; raise WorkbenchError for a name that is unknown."""
        (event,) = choose_events([self.event])
        bounds = Bounds(self.updates, self.reads)
        return Question(variant(self.protocol), event, choose_features(list(self.features)), self.vcpus, bounds)

    def happens(self) -> bool:
        """Take the turns on a simulated machine and tell whether the property is violated then, and not before.

        Raises WorkbenchError if a turn cannot be taken or is another step than the recorded one.
        """
        (failure,) = choose_failures([self.property])
        question = self.question()
        if self.turns and not failure.holds(confirm(question, self.turns[:-1])):
            return False
        return not failure.holds(confirm(question, self.turns))

    def report(self) -> str:
        """Return one line that says what came of it."""
        (failure,) = choose_failures([self.property])
        try:
            told = "happened again" if self.happens() else "did not happen"
        except WorkbenchError as error:
            told = f"could not be taken again: {error}"
        return f"{failure.code} {failure.name}, {self.protocol} under {self.event}, {len(self.turns)} steps: {told}"
