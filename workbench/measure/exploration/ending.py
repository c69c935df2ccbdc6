"""How a trace ends: the sentences that are true of its last state, and the step since which they have been.

A claim about an idle machine is violated only when the machine comes to rest, which may be long after the step that
made its sentence true. The trace is therefore replayed on a simulated machine, byte by byte, and asked after each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from workbench.checking.failures import Failure, Violation
from workbench.engines.simulate.schedule import Schedule
from workbench.errors import WorkbenchError
from workbench.measure.exploration.explore import Exploration, Question, TraceRow, as_explored


class Ending(NamedTuple):
    """What is wrong at the end of a trace. ``since``: the number (from 1) of the step since which it has been so."""

    sentences: tuple[str, ...]
    since: int | None


def ending(exploration: Exploration, failure: Failure) -> Ending | None:
    """Return how the shortest trace to a failure ends; None if the failure has no trace."""
    rows = exploration.trace(failure)
    return None if rows is None else ending_of(exploration.question, rows, failure)


def ending_of(question: Question, rows: Sequence[TraceRow], failure: Failure) -> Ending:
    """Return how a trace that leads to a failure ends."""
    after: list[tuple[Violation, ...]] = []
    try:
        schedule = Schedule(question.scenario, as_explored(question.event))
        for row in rows:
            schedule.turn(row.turn)
            after.append(failure.violations(schedule, in_passing=True))
        found = failure.violations(schedule)
    except WorkbenchError as error:
        return Ending((f"{failure.what} (the trace could not be replayed on bytes: {error})",), None)
    sentences = tuple(dict.fromkeys(violation.sentence for violation in found)) or (failure.what,)
    return Ending(sentences, min((_since(after, violation) for violation in found), default=None))


def _since(after: list[tuple[Violation, ...]], violation: Violation) -> int:
    """Return the number of the step after which a violation of the last state has been true without a break."""
    number = len(after)
    while number > 1 and violation in after[number - 2]:
        number -= 1
    return number


__all__ = ["Ending", "ending", "ending_of"]
