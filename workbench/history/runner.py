"""Explores each case as it was and as it was fixed, and compares with what really happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from workbench.checking.failures import FAILURES, Failure
from workbench.engines.explore import FAILS, HOLDS
from workbench.history.case import Case, Design
from workbench.history.properties import OWN
from workbench.measure.exploration.explore import Exploration, TraceRow, explore_question

#: Far more than any case has; a case that reaches it is BOUNDED, and so neither reproduced nor fixed.
MAX_STATES = 200_000
#: All that is asked: the catalogue, and what only history needs.
ASKED: dict[str, Failure] = FAILURES | {failure.code: failure for failure in OWN}
#: Asked of the fixed design: one in which nothing registers holds whatever is asked of it.
NOT_EMPTY = "S01"


@dataclass(frozen=True)
class CaseOutcome:
    """What the explorer said of a case."""

    case: Case
    broken: Exploration
    fixed: Exploration

    @property
    def fails_as_it_did(self) -> bool:
        """Whether the broken design has every failure that really happened."""
        return self.failed == self.case.fails

    @property
    def holds_as_fixed(self) -> bool:
        """Whether the fixed design has none of them in any state, and is not empty."""
        said = self.fixed.result.verdicts
        return all(said[code] == HOLDS for code in (*self.case.fails, NOT_EMPTY))

    @property
    def failed(self) -> tuple[str, ...]:
        """Which of the failures that really happened the broken design has."""
        return tuple(code for code in self.case.fails if code in failing(self.broken))

    @property
    def also(self) -> tuple[str, ...]:
        """What else the broken design fails."""
        return tuple(code for code in failing(self.broken) if code not in self.case.fails)

    @property
    def left(self) -> tuple[str, ...]:
        """What the fixed design fails: what the fix left, or what it traded the failure for."""
        return failing(self.fixed)

    @property
    def reproduced(self) -> bool:
        """Whether the history of this bug is what the explorer finds."""
        return self.fails_as_it_did and self.holds_as_fixed

    @property
    def steps(self) -> int | None:
        """Steps of the shortest way to the first failure of the case; None where nothing must happen for it."""
        rows = self.trace(self.case.fails[0])
        return None if rows is None else len(rows)

    def trace(self, code: str) -> tuple[TraceRow, ...] | None:
        """Return the shortest way to a failure of the broken design."""
        return self.broken.trace(ASKED[code])


def failing(exploration: Exploration) -> tuple[str, ...]:
    """Return the codes that fail, in the order in which they were asked."""
    return tuple(code for code, verdict in exploration.result.verdicts.items() if verdict == FAILS)


def explore_design(design: Design) -> Exploration:
    """Ask everything of one design."""
    return explore_question(design.question, tuple(ASKED.values()), max_states=MAX_STATES)


def explore_cases(
    cases: Sequence[Case], progress: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[CaseOutcome]:
    """Explore cases one after the other; ``progress`` gets how many are done, and of how many.

    Raises KeyboardInterrupt when the user stops one of them.
    """
    for number, case in enumerate(cases):
        progress(number, len(cases))
        outcome = CaseOutcome(case, explore_design(case.broken), explore_design(case.fixed))
        if outcome.broken.interrupted or outcome.fixed.interrupted:
            raise KeyboardInterrupt  # the explorer has ended that search; the user meant all of them
        yield outcome
