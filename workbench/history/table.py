"""The outcomes of historical bugs as flat records: one for each case, one for each bug that was left out."""

from collections.abc import Iterable
from typing import Any

from workbench.engines.explore import FAILS, HOLDS, gravest
from workbench.history.bugs import BUGS, LEFT_OUT
from workbench.history.runner import ASKED, NOT_EMPTY, CaseOutcome

COLUMNS = (
    "bugs", "case", "title", "reproduced", "fails", "also", "steps", "states", "broken", "event", "vcpus", "features",
    "fixed", "fixed_event", "fixed_verdict", "left", "fixed_states", "evidence", "source", "fix", "reason",
)  # fmt: skip


def record(outcome: CaseOutcome) -> dict[str, Any]:
    """Return the record of one case; ``steps`` is None where the failure is that something never happens."""
    case, broken, fixed = outcome.case, outcome.broken, outcome.fixed
    found = {
        "bugs": " ".join(case.bugs),
        "case": case.name,
        "title": case.title,
        "reproduced": outcome.reproduced,
        "fails": " ".join(outcome.failed),
        "also": " ".join(outcome.also),
        "steps": outcome.steps,
        "states": broken.result.states,
        "broken": broken.question.variant.label,
        "event": broken.question.event.name,
        "vcpus": case.broken.vcpus,
        "features": " ".join(feature.name for feature in case.broken.features),
        "fixed": fixed.question.variant.label,
        "fixed_event": fixed.question.event.name,
        "fixed_verdict": fixed_verdict(outcome),
        "left": " ".join(outcome.left),
        "fixed_states": fixed.result.states,
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


def summary(outcomes: Iterable[CaseOutcome], *, is_all: bool) -> str:
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
