"""Explores the broken and the fixed design of each case, and compares the verdicts with what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from workbench.checking.failures import FAILURES, Failure
from workbench.engines.explore import FAILS, HOLDS, NOT_EXERCISED
from workbench.history.case import Case, Design
from workbench.history.properties import OWN
from workbench.measure.exploration.explore import Exploration, TraceRow, explore_question

#: Far more than any case has; a case that reaches it is BOUNDED, and so neither reproduced nor fixed.
MAX_STATES = 200_000
#: All failures checked: the catalogue, and those that only historical bugs need.
ASKED: dict[str, Failure] = FAILURES | {failure.code: failure for failure in OWN}
#: Checked on the fixed design: a design in which nothing registers would hold every property.
NOT_EMPTY = "S01"


@dataclass(frozen=True)
class CaseOutcome:
    """The explorer's verdicts on a case."""

    case: Case
    broken: Exploration
    fixed: Exploration

    @property
    def fails_as_it_did(self) -> bool:
        """Whether the broken design has every failure that happened."""
        return self.failed == self.case.fails

    @property
    def holds_as_fixed(self) -> bool:
        """Whether the fixed design has none of these failures in any state, and registers something.

        A fix may also make sure that what a failure is about never comes about (NOT_EXERCISED).
        """
        said = self.fixed.result.verdicts
        return said[NOT_EMPTY] == HOLDS and all(said[code] in (HOLDS, NOT_EXERCISED) for code in self.case.fails)

    @property
    def failed(self) -> tuple[str, ...]:
        """The failures that happened and that the broken design has."""
        return tuple(code for code in self.case.fails if code in failing(self.broken))

    @property
    def also(self) -> tuple[str, ...]:
        """The other failures of the broken design."""
        return tuple(code for code in failing(self.broken) if code not in self.case.fails)

    @property
    def left(self) -> tuple[str, ...]:
        """The failures of the fixed design: those that the fix left, or introduced."""
        return failing(self.fixed)

    @property
    def reproduced(self) -> bool:
        """Whether the broken design fails as it did and the fixed design holds."""
        return self.fails_as_it_did and self.holds_as_fixed

    @property
    def steps(self) -> int | None:
        """Steps of the shortest trace to the first failure of the case; None if the failure has no trace."""
        rows = self.trace(self.case.fails[0])
        return None if rows is None else len(rows)

    def trace(self, code: str) -> tuple[TraceRow, ...] | None:
        """Return the shortest trace to a failure of the broken design."""
        return self.broken.trace(ASKED[code])


def failing(exploration: Exploration) -> tuple[str, ...]:
    """Return the codes that fail, in the order in which they were checked."""
    return tuple(code for code, verdict in exploration.result.verdicts.items() if verdict == FAILS)


def explore_design(design: Design) -> Exploration:
    """Check all failures on one design."""
    return explore_question(design.question, tuple(ASKED.values()), max_states=MAX_STATES)


def explore_cases(
    cases: Sequence[Case], progress: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[CaseOutcome]:
    """Explore cases one after the other; ``progress`` gets how many are done, and of how many.

    Raises KeyboardInterrupt when the user stops one of them.
    """
    for number, case in enumerate(cases):
        progress(number, len(cases))
        yield CaseOutcome(case, explore_design(case.broken), explore_design(case.fixed))
