"""Tests the workbench on real bugs: the design with the bug must fail as it did, and the fixed design must hold."""

from workbench.errors import WorkbenchError, unknown
from workbench.history.bugs import BUGS, LEFT_OUT
from workbench.history.case import EVIDENCE, Case, Design
from workbench.history.cases_dirty_log import DIRTY_LOG_CASES
from workbench.history.cases_kvm import KVM_CASES
from workbench.history.cases_others import OTHER_CASES
from workbench.history.cases_vmm import VMM_CASES
from workbench.history.runner import ASKED, CaseOutcome, explore_cases, explore_design, failing

_ORDER = list(BUGS)

#: All cases, in the order of the first bug of each.
CASES: tuple[Case, ...] = tuple(
    sorted(
        (*KVM_CASES, *OTHER_CASES, *VMM_CASES, *DIRTY_LOG_CASES),
        key=lambda case: (_ORDER.index(case.bugs[0]), case.name),
    )
)


def choose(names: "list[str] | None" = None) -> tuple[Case, ...]:
    """Return the cases with these names or of these bugs, in order; all cases if ``names`` is None.

    Raises WorkbenchError for an unknown name, and for a bug that was left out, with the reason.
    """
    if names is None:
        return CASES
    for name in names:
        if name in LEFT_OUT:
            raise WorkbenchError(f"{name} ({BUGS[name]}) was left out: {LEFT_OUT[name]}")
        if not any(name in (case.name, *case.bugs) for case in CASES):
            raise unknown("bug", name, BUGS)
    return tuple(case for case in CASES if {case.name, *case.bugs} & set(names))


__all__ = [
    "ASKED",
    "BUGS",
    "CASES",
    "EVIDENCE",
    "LEFT_OUT",
    "Case",
    "CaseOutcome",
    "Design",
    "choose",
    "explore_cases",
    "explore_design",
    "failing",
]
