"""A failure of a migration in rounds: the destination's memory is not the source's."""

from collections.abc import Iterator

from workbench.checking.facts import Facts
from workbench.checking.failures.failure import Claim, Failure, Violation
from workbench.checking.ghosts import ARRIVED_WITHOUT


def _missed(facts: Facts) -> Iterator[Violation]:
    for what in facts.value(ARRIVED_WITHOUT) or ():
        yield Violation(what, f"the destination has bytes of {what} that are not the source's")


def _arrived(facts: Facts) -> bool:
    """Tell whether memory has arrived that was sent in rounds, and a host wrote to it meanwhile."""
    return type(facts.value(ARRIVED_WITHOUT)) is tuple


MISSED_DIRTY_PAGE = Failure(
    "F28",
    "missed-dirty-page",
    "always",
    Claim(_missed),
    what="Memory is sent in rounds, and the destination has not got what the source last wrote to it.",
    why="The guest goes on with an older payload, descriptor or half of an update: time goes back, a version is odd.",
    example="The host writes through a mapping of the page and does not mark it dirty; no later round sends it.",
    seen="Linux c35635efdc03 (3.10): KVM_GET_DIRTY_LOG did not report what the host writes to POWER's VPA and DTL; "
    "118964562969 (6.11): reading a vCPU's registers could set steal time's preempted after the last log was read; "
    "cloud-hypervisor issue 2458: what the VMM itself writes is in no log of KVM's.",
    premise=_arrived,
)
