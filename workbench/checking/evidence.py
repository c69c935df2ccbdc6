"""Collects the evidence about an area from a machine, simulated or real, that has run one schedule."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import Any

from workbench.core.address_map import Unit
from workbench.core.contracts import Feature, Protocol
from workbench.core.rules.returned import checked
from workbench.core.scenario import Evidence, Scenario, asked, becomes, believes

#: Kinds of payload that the host may write without a further request, so that a wrong address is always dangerous.
WRITES_ANY_TIME = ("entry", "request", "event")


def evidence(
    protocol: Protocol,
    owner: int,
    feature: Feature,
    *,
    notes: Mapping[Hashable, Any],
    held: Mapping[Hashable, Any],
    ever: Mapping[Hashable, Any],
    arrives: Callable[[int, int], bool],
    strays: bool,
    belongs_to_host: Callable[[int], bool],
) -> Evidence:
    """Return the current facts about one area.

    ``held`` are the host's entries, ``ever`` the last value of every entry that ever existed; ``arrives(gpa, size)``
    tells whether the host's writes there would arrive; ``strays`` that they hit memory with a new owner;
    ``belongs_to_host(gpa)`` whether the memory there is the host's own.
    """
    if not protocol.supports(feature):
        return Evidence(False, None, None, None, False, False, False)
    believed = notes.get(believes(owner, feature.name))
    where = 0 if believed is None else believed
    live = protocol.serving(held, owner, feature, where)
    if live is not None and type(live) is not int:
        checked(protocol, "serving", live)
    if feature.is_value and believed is None:
        live = None  # a register at its default value is not a registration
    if live is not None and believed is None and belongs_to_host(live):
        live = None  # the host serves its own memory, which no kernel has given it and none gives away
    reached = live is not None and (feature.is_value or arrives(live, feature.size))
    was_live = protocol.serving(ever, owner, feature, where) is not None
    end = notes.get(becomes())
    concluded = notes.get(asked(owner, feature.name))
    return Evidence(True, concluded, believed, live, reached, was_live, strays, end is not None and end.is_end)


def in_others_memory(
    scenario: Scenario,
    held: Mapping[Hashable, Any],
    cpu: int,
    reassigned: Collection[Unit],
    reaches: Callable[[int, int], bool],
) -> Iterator[tuple[int, str]]:
    """Yield (owner, feature) of areas that the host may write for ``cpu`` at any time but that have a new owner.

    ``reaches(gpa, size)`` tells whether there is memory that the host could write.
    """
    for feature in scenario.supported():
        if feature.update_when in WRITES_ANY_TIME:
            gpa = scenario.protocol.serving(held, cpu, feature, 0)
            if gpa is None or (unit := scenario.addresses.unit_at(gpa)) is None:
                continue
            if unit in reassigned and reaches(gpa, feature.size):
                yield unit.cpu, unit.what
