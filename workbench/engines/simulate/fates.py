"""Determines the fate of every area after an event, from the evidence on a simulated machine.

One machine may represent many vCPUs; then the owner of an area is their common index.
"""

from collections.abc import Collection
from functools import partial
from itertools import repeat

from workbench.checking.evidence import evidence
from workbench.core.contracts import Feature
from workbench.core.machine import Machine
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario, fate_of
from workbench.engines.simulate.turns import ForEach

#: (owner, feature name) of an area.
Area = tuple[int, str]


def all_fates(scenario: Scenario, strayed: Collection[Area], for_each: ForEach) -> dict[Area, Fate]:
    """Return the fate of every area, by feature and owner; ``for_each`` evaluates consecutive vCPUs."""
    found: dict[Area, Fate] = {}
    for feature in scenario.features:
        owners, name = scenario.owners(feature), feature.name
        strays = {owner for owner, what in strayed if what == name}
        fates = for_each(owners, partial(_fate, scenario, feature, strays), looks=True)
        found.update(zip(zip(owners, repeat(name), strict=False), fates, strict=True))
    return found


def _fate(scenario: Scenario, feature: Feature, strays: Collection[int], machine: Machine, owner: int) -> Fate:
    stray = bool(strays) and owner in strays  # if none has strayed, ``owner`` may represent many vCPUs
    return fate_of(
        evidence(
            scenario.protocol,
            owner,
            feature,
            notes=machine.notes,
            held=machine.entries,
            ever=machine.ever,
            arrives=machine.host_reaches,
            strays=stray,
            belongs_to_host=scenario.addresses.belongs_to_host,
        )
    )
