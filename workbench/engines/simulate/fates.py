"""What became of every area after an event: the evidence that a simulated machine has, and the word for it.

The machine may be one that stands for many vCPUs (``lanes_machine``); where they differ, each is asked by itself.
"""

from collections.abc import Collection
from itertools import repeat
from typing import Any

from workbench.checking.evidence import evidence
from workbench.core.contracts import Feature, Protocol
from workbench.core.machine import Machine
from workbench.core.outcome import Fate
from workbench.core.scenario import Evidence, Scenario, fate_of
from workbench.core.steps import Side
from workbench.engines.simulate.lanes.machine import FEWEST_LANES, AtOnce, LaneMachine

#: (owner, feature name) of an area.
Area = tuple[int, str]


def evidence_on(machine: Machine, protocol: Protocol, owner: int, feature: Feature, *, strays: bool) -> Evidence:
    """Return what is known of one area now; ``strays`` says that the host writes to others' memory there."""

    def arrives(gpa: int) -> bool:
        return machine.memory.reachable(gpa, feature.size, Side.KERNEL, write=True)

    return evidence(
        protocol,
        owner,
        feature,
        notes=machine.notes,
        held=machine.entries,
        ever=machine.ever,
        arrives=arrives,
        strays=strays,
    )


def all_fates(
    machine: Machine, scenario: Scenario, strayed: Collection[Area], at_once: AtOnce | None
) -> dict[Area, Fate]:
    """Return the fate of every area, by feature and owner; many vCPUs are asked ``at_once`` where that is given."""
    found: dict[Area, Fate] = {}
    for feature in scenario.features:
        owners, name = scenario.owners(feature), feature.name
        fate = None
        if at_once and len(owners) >= FEWEST_LANES and all(what != name for _, what in strayed):
            fate = _common_fate(at_once, scenario.protocol, owners[2:], feature)
        for owner in owners[:2] if fate else owners:  # as in a run, for the boot CPU may differ
            known = evidence_on(machine, scenario.protocol, owner, feature, strays=(owner, name) in strayed)
            found[owner, name] = fate_of(known)
        if fate:
            found.update(zip(zip(owners[2:], repeat(name), strict=False), repeat(fate), strict=False))
    return found


def _common_fate(at_once: AtOnce, protocol: Protocol, owners: Any, feature: Feature) -> Fate | None:
    """Return the fate that the areas of consecutive vCPUs have in common, or None."""
    found: list[Fate] = []

    def ask(lanes: LaneMachine) -> None:
        found.append(fate_of(evidence_on(lanes, protocol, lanes.index, feature, strays=False)))

    return found[0] if at_once.ask(owners[0], len(owners), 0, ask) else None
