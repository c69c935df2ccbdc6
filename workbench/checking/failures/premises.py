"""Premises that several failures share: in which states a property is about something."""

from collections.abc import Callable, Iterator

from workbench.checking.facts import Facts, Place
from workbench.checking.ghosts import fetched


def served(facts: Facts) -> Iterator[tuple[Place, int]]:
    """Yield the areas that the host writes to, with the gpa of each."""
    for place in facts.places():
        if place.feature.update_when != "never" and (gpa := facts.live(place)) is not None:
            yield place, gpa


def an_area_is_served(facts: Facts) -> bool:
    """Tell whether the host writes to any area."""
    return any(True for _ in served(facts))


def at_rest(premise: Callable[[Facts], bool]) -> Callable[[Facts], bool]:
    """Return the premise that the machine is idle and ``premise`` holds."""
    return lambda facts: facts.at_rest() and premise(facts)


def in_some_place(premise: Callable[[Facts, Place], bool]) -> Callable[[Facts], bool]:
    """Return the premise that ``premise`` holds for a place."""
    return lambda facts: any(premise(facts, place) for place in facts.places())


def is_believed(facts: Facts, place: Place) -> bool:
    """Tell whether the guest believes the area to be registered."""
    return facts.believed(place) is not None


def a_descriptor_was_read(facts: Facts) -> bool:
    """Tell whether the handler of an exit has read a descriptor."""
    return facts.scenario.protocol.descriptor is not None and any(
        facts.value(fetched(cpu)) for cpu in range(facts.scenario.vcpus)
    )


def registration_is_due(facts: Facts) -> bool:
    """Tell whether a host of this scenario ought to register anything: not if it may refuse every request."""
    return facts.scenario.host.knows_protocol and not facts.scenario.rightly_refused
