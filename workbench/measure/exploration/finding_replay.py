"""A recorded finding: the schedule that leads to it, which a simulated machine can replay, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.checking.failures import Failure
from workbench.checking.failures import choose as choose_failures
from workbench.core import own_files
from workbench.engines.explore.vm import Bounds
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.exploration.explore import Exploration, Question, confirm
from workbench.measure.variants import variant


@dataclass(frozen=True)
class RecordedFinding:
    """What is needed to replay a schedule: the question, the property, and the turns."""

    protocol: str  #: as on a command line: NAME, path/to/file.py:Class, with +mitigation
    event: str  #: likewise, as are features
    features: Sequence[str]
    vcpus: int
    property: str
    turns: Sequence[tuple[Any, Any]]  #: records, see ``workbench.core.step_record``
    updates: int = 1
    reads: int = 0

    @classmethod
    def of(cls, exploration: Exploration, failure: Failure, protocol: str = "") -> RecordedFinding | None:
        """Return the finding of a failure; None if there is none with a trace.

        ``protocol``: its name on a command line, where that is not its label (a class from a file).
        """
        rows, question = exploration.trace(failure), exploration.question
        if rows is None:
            return None
        return cls(
            protocol or question.variant.label,
            own_files.named(question.event),
            tuple(own_files.named(feature) for feature in question.features),
            question.vcpus,
            failure.code,
            [row.turn for row in rows],
            question.bounds.updates,
            question.bounds.reads,
        )

    def question(self) -> Question:
        """Return what was explored; raise WorkbenchError for an unknown name."""
        event = choose_event(self.event)
        bounds = Bounds(self.updates, self.reads)
        return Question(variant(self.protocol), event, choose_features(self.features), self.vcpus, bounds)

    def happens(self) -> bool:
        """Replay the turns on a simulated machine and tell whether the property is violated after the last, not before.

        Raises WorkbenchError if a turn cannot be taken or its step differs from the recorded one.
        """
        (failure,) = choose_failures([self.property])
        question = self.question()
        if self.turns and not failure.holds(confirm(question, self.turns[:-1])):
            return False
        return not failure.holds(confirm(question, self.turns))

    def report(self) -> str:
        """Return one line that gives the result of the replay."""
        (failure,) = choose_failures([self.property])
        try:
            told = "happened again" if self.happens() else "did not happen"
        except WorkbenchError as error:
            told = f"could not be replayed: {error}"
        return f"{failure.title} ({failure.code}), {self.protocol} under {self.event}, {len(self.turns)} steps: {told}"
