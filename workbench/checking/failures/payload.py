"""The failure of torn payloads: a reader accepts a payload that the host never wrote as a whole."""

from workbench.checking.facts import Facts
from workbench.checking.failures.failure import Failure
from workbench.checking.frozen_clock import whole_readings
from workbench.checking.ghosts import reading


def _whole(facts: Facts) -> bool:
    for place in facts.places():
        accepted = facts.value(reading(place.owner, place.feature.name))
        if accepted is not None and accepted not in whole_readings(place.feature):
            return False
    return True


TORN = Failure(
    "F06",
    "torn-payload",
    "always",
    _whole,
    what="Another vCPU reads a payload while the host writes it, and accepts a mixture of old and new.",
    why="A clock read half from the old and half from the new value shows a time that never existed.",
    example="A payload of two words without a version, read between the two writes.",
    seen="The version rule of struct pvclock_vcpu_time_info exists for this (Linux "
    "Documentation/virt/kvm/x86/msr.rst); CVE-2019-3016 is a similar race, on steal_time.preempted, without a version.",
    needs=frozenset({"readers", "second vCPU"}),
)
