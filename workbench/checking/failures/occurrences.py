"""Properties that must hold in some state, because a design in which nothing happens satisfies all others."""

from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Failure
from workbench.checking.failures.premises import registration_is_due
from workbench.checking.frozen_clock import prepared


def _registered(facts: Facts, place: Place) -> bool:
    believed = facts.believed(place)
    return believed is not None and facts.live(place) == believed and facts.arrives(place, believed)


def _some_registered(facts: Facts) -> bool:
    return any(_registered(facts, place) for place in facts.places())


def _has_arrived(facts: Facts, place: Place) -> bool:
    believed = facts.believed(place)
    if believed is None or place.feature.update_when == "never":
        return False
    before = prepared(place.feature)
    return any(
        data not in (before[offset : offset + len(data)], bytes(len(data)))
        for offset, data in facts.content(believed, place.feature.size)
    )


def _some_arrived(facts: Facts) -> bool:
    return any(_has_arrived(facts, place) for place in facts.places())


REGISTERS = Failure(
    "S01",
    "registers",
    "sometimes",
    _some_registered,
    what="At some time guest and host agree that an area is registered, and writes to it arrive.",
    why="If this never happens, the other properties hold only because nothing is registered.",
    example="A boot on a host that knows the protocol.",
    seen="Must fail, and does, for the null protocol. It is not asked of a host that may refuse everything.",
    premise=registration_is_due,
)
ARRIVES = Failure(
    "S02",
    "payload-arrives",
    "sometimes",
    _some_arrived,
    what="At some time an area that the guest believes registered holds data that the host has written.",
    why="An area that is registered but never written shares nothing.",
    example="The first entry after the registration of steal time.",
    seen="Must fail, and does, for the null protocol, and for features that the host only reads.",
    premise=registration_is_due,
)
