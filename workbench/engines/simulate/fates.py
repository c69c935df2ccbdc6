"""What became of every area after an event: the evidence that a simulated machine has, and the word for it.

The machine may be one that stands for many vCPUs, and the owner of the area their common index.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import chain, repeat

from workbench.checking.evidence import evidence
from workbench.core.contracts import Feature, Protocol
from workbench.core.machine import Machine
from workbench.core.outcome import Fate
from workbench.core.scenario import Evidence, Scenario, fate_of
from workbench.core.steps import Side
from workbench.engines.simulate.turns import ForEach

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


def all_fates(scenario: Scenario, strayed: Collection[Area], for_each: ForEach) -> dict[Area, Fate]:
    """Return the fate of every area, by feature and owner; ``for_each`` asks the machine.

    One question is about all features that have the same owners, but for those of which an area has strayed: there
    the owners differ.
    """
    strays = {name for _, name in strayed}
    groups: dict[tuple[Sequence[int], bool], list[Feature]] = {}
    for feature in scenario.features:
        groups.setdefault((scenario.owners(feature), feature.name in strays), []).append(feature)
    found: dict[str, Iterable[tuple[Area, Fate]]] = {}
    for (owners, differ), features in groups.items():
        rows = for_each(owners, partial(_fates, scenario.protocol, features, strayed if differ else ()))
        for feature, fates in zip(features, zip(*rows, strict=True), strict=True):
            found[feature.name] = zip(zip(owners, repeat(feature.name), strict=False), fates, strict=True)
    return dict(chain.from_iterable(found[feature.name] for feature in scenario.features))


def _fates(
    protocol: Protocol, features: list[Feature], strayed: Collection[Area], machine: Machine, owner: int
) -> tuple[Fate, ...]:
    def strays(feature: Feature) -> bool:
        return bool(strayed) and (owner, feature.name) in strayed

    return tuple(fate_of(evidence_on(machine, protocol, owner, one, strays=strays(one))) for one in features)
