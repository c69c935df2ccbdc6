"""Failures of the news that the VMM had stopped the guest: it does not reach the guest, or comes without a reason."""

from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Failure, for_places
from workbench.checking.failures.premises import at_rest, in_some_place
from workbench.core.scenario import stop_heard


def _heard(facts: Facts, place: Place) -> tuple[bool, bool] | None:
    """Return (the host accepted to tell the guest, the guest was told) if the guest has looked."""
    heard: tuple[bool, bool] | None = facts.value(stop_heard(place.owner, place.feature.name))
    return heard


def _not_told(facts: Facts, place: Place) -> str | None:
    heard, believed = _heard(facts, place), facts.believed(place)
    if heard is None or heard[1] or believed is None:
        return None
    if facts.live(place) != believed or not facts.arrives(place, believed):
        return None  # the area itself is lost or silent, which is another failure
    how = "accepted" if heard[0] else "refused"
    return f"the host {how} to tell the guest of its stop, serves {place} at {believed:#x}, and has not told it there"


def _has_looked(facts: Facts, place: Place) -> bool:
    return _heard(facts, place) is not None and facts.believed(place) is not None


def _false_stop(facts: Facts, place: Place) -> str | None:
    heard = _heard(facts, place)
    if heard == (False, True):
        return f"{place} tells the guest of a stop that the host had refused to tell"
    if heard == (True, False) and facts.believed(place) is None:
        return f"the host accepted to tell the guest of its stop, and the guest has no {place.feature.name} registered"
    return None


def _has_no_clock(facts: Facts, place: Place) -> bool:
    return _heard(facts, place) is not None and facts.believed(place) is None


NOT_TOLD = Failure(
    "F26",
    "stop-not-told",
    "always",
    for_places(_not_told, at_rest=True),
    what="The VMM has said that the guest was stopped, and a guest whose clock is served does not learn of it.",
    why="Its watchdogs take the pause for a CPU that hangs, and its time jumps without an explanation.",
    example="The VMM says so before it has restored the registers: no clock is registered yet, and the host refuses.",
    seen="KVM_KVMCLOCK_CTRL exists for this (Linux 1c0b28c2a46d, 3.5). Since 6.15 KVM forgets the news if the area "
    "cannot be reached at the next update (arch/x86/kvm/x86.c, kvm_guest_time_update).",
    premise=at_rest(in_some_place(_has_looked)),
)
FALSE_STOP = Failure(
    "F27",
    "false-stop",
    "always",
    for_places(_false_stop),
    what="The host accepts to tell a guest of its stop that has no clock registered, or tells it after a refusal.",
    why="The VMM believes that the guest knows; or a CPU that really hung is excused by a stop of long ago.",
    example="The request is kept while no clock is registered, and the next registration delivers it.",
    seen='Linux 24c166378026 (6.15), "Don\'t bleed PVCLOCK_GUEST_STOPPED across PV clocks": the flag of kvmclock '
    "reached the Xen clock, of which nobody had said it.",
    premise=in_some_place(_has_no_clock),
)
