"""The outcomes of historical bugs as flat records: one for each case, one for each bug that was left out."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from workbench.engines.explore import FAILS, HOLDS, gravest
from workbench.history.bugs import BUGS, LEFT_OUT
from workbench.history.case import Case
from workbench.history.runner import ASKED, MAX_STATES, NOT_EMPTY, CaseOutcome
from workbench.measure.exploration.cells import is_final
from workbench.measure.exploration.ending import ending

COLUMNS = (
    "bugs", "case", "title", "reproduced", "fails", "also", "steps", "states", "broken", "event", "vcpus", "features",
    "fixed", "fixed_event", "fixed_verdict", "left", "fixed_states", "evidence", "source", "fix", "reason",
)  # fmt: skip


class Told(NamedTuple):
    """What is printed of one case, as data that JSON holds (but for ``case``)."""

    case: Case
    reproduced: bool
    failed: Sequence[str]
    also: Sequence[str]
    left: Sequence[str]
    steps: int | None  #: of the trace; None where the failure is that something never happens
    states: int
    fixed_states: int
    fixed_verdict: str
    trace: Sequence[tuple[str, str]]  #: who, what
    ending: tuple[tuple[str, ...], int | None] | None  #: of the trace, see ``measure.exploration.ending``
    is_final: bool  #: another run would say the same


def told(outcome: CaseOutcome) -> Told:
    """Return what is printed of a case."""
    case, designs = outcome.case, (outcome.broken, outcome.fixed)
    return Told(
        case,
        outcome.reproduced,
        outcome.failed,
        outcome.also,
        outcome.left,
        outcome.steps,
        outcome.broken.result.states,
        outcome.fixed.result.states,
        fixed_verdict(outcome),
        [(str(row.actor), row.text) for row in outcome.trace(case.fails[0]) or ()],
        ending(outcome.broken, ASKED[case.fails[0]]),
        all(is_final(design.result.limit, MAX_STATES) for design in designs),
    )


def record(one: Told) -> dict[str, Any]:
    """Return the record of one case."""
    case, broken, fixed = one.case, one.case.broken, one.case.fixed
    found = {
        "bugs": " ".join(case.bugs),
        "case": case.name,
        "title": case.title,
        "reproduced": one.reproduced,
        "fails": " ".join(one.failed),
        "also": " ".join(one.also),
        "steps": one.steps,
        "states": one.states,
        "broken": broken.question.variant.label,
        "event": broken.event.name,
        "vcpus": broken.vcpus,
        "features": " ".join(feature.name for feature in broken.features),
        "fixed": fixed.question.variant.label,
        "fixed_event": fixed.event.name,
        "fixed_verdict": one.fixed_verdict,
        "left": " ".join(one.left),
        "fixed_states": one.fixed_states,
        "evidence": case.evidence,
        "source": case.source,
        "fix": case.fix,
    }
    return {column: found.get(column, "") for column in COLUMNS}


def left_out() -> list[dict[str, Any]]:
    """Return the bugs without a case, each with the reason."""
    found = [
        {"bugs": bug, "title": BUGS[bug], "reproduced": False, "reason": reason} for bug, reason in LEFT_OUT.items()
    ]
    return [{column: one.get(column) for column in COLUMNS} for one in found]


def titles(codes: Iterable[str]) -> str:
    """Return the names of failures as people say them."""
    return ", ".join(ASKED[code].title for code in codes)


def fixed_verdict(outcome: CaseOutcome) -> str:
    """Return the verdict on the failures of the case, the gravest of all, or EMPTY if nothing ever registers."""
    said = outcome.fixed.result.verdicts
    found = gravest({said[code] for code in outcome.case.fails})
    return found if said[NOT_EMPTY] == HOLDS or found == FAILS else "EMPTY"


def summary(outcomes: Iterable[Told], *, is_all: bool) -> str:
    """Return "N of M bugs reproduced, in C cases; not: ...; left out: ...", over these cases, or over all bugs.

    A bug with several cases is reproduced when all of them are.
    """
    done = list(outcomes)
    modelled = [bug for bug in BUGS if any(bug in outcome.case.bugs for outcome in done)]
    missed = [
        bug for bug in modelled if not all(outcome.reproduced for outcome in done if bug in outcome.case.bugs)
    ]
    asked = list(BUGS) if is_all else modelled
    cases = f"{len(done)} case{'s' if len(done) != 1 else ''}"
    text = f"{len(modelled) - len(missed)} of {len(asked)} bugs reproduced, in {cases}"
    text += f"; not: {', '.join(missed)}" if missed else ""
    return text + (f"; left out, with a reason: {', '.join(LEFT_OUT)}" if is_all else "")
