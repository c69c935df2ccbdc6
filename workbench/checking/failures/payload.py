"""The failure of torn payloads: a reader accepts a payload that the host never wrote as a whole."""

from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Failure, for_places
from workbench.checking.failures.premises import in_some_place
from workbench.checking.frozen_clock import whole_readings
from workbench.checking.ghosts import reading
from workbench.core.step_text import value_text


def _torn(facts: Facts, place: Place) -> str | None:
    accepted = facts.value(reading(place.owner, place.feature.name))
    if accepted is None or accepted in whole_readings(place.feature):
        return None
    return f"a reader of {place} accepted {value_text(accepted)}, which the host never wrote as a whole"


def _is_read(facts: Facts, place: Place) -> bool:
    return facts.value(reading(place.owner, place.feature.name)) is not None


TORN = Failure(
    "F06",
    "torn-payload",
    "always",
    for_places(_torn),
    what="Another vCPU reads a payload while the host writes it, and accepts a mixture of old and new.",
    why="A clock read half from the old and half from the new value shows a time that never existed.",
    example="A payload of two words without a version, read between the two writes.",
    seen="The version rule of struct pvclock_vcpu_time_info exists for this (Linux "
    "Documentation/virt/kvm/x86/msr.rst); CVE-2019-3016 is a similar race, on steal_time.preempted, without a version.",
    premise=in_some_place(_is_read),
)
