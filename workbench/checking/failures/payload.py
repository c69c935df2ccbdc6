"""A payload is accepted that was never written whole."""

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
    what="Another vCPU reads a payload while the host writes it, and accepts a mixture.",
    why="Half of an old clock and half of a new one is a time that never was.",
    example="A payload of two words without a version, read between the two writes.",
    seen="The version rule of struct pvclock_vcpu_time_info exists for this (Linux "
    "Documentation/virt/kvm/x86/msr.rst); CVE-2019-3016 is its relative without one: steal_time.preempted raced.",
    needs=frozenset({"readers", "second vCPU"}),
)
