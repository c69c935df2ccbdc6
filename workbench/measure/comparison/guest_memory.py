"""Guest memory that a registration costs: descriptors, payloads, padding; pages an encrypted guest must share.

An area counts if the guest considers it registered after the event; a refused area costs nothing. A feature that
is a value (poll control) costs memory only under a protocol whose host keeps an area for it; in a register it
costs none.

Padding is what alignment costs if a vCPU's descriptor and areas follow one another, in the order of the
features, each aligned as its ABI document requires. Pages are counted at the areas' actual addresses.
"""

from collections.abc import Iterable
from typing import NamedTuple

from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.machine import Machine
from workbench.core.memory import PAGE_SHIFT
from workbench.core.scenario import Scenario, beliefs

DESCRIPTOR_ALIGN = 8


class GuestMemoryUse(NamedTuple):
    """Bytes of guest memory for each purpose, and pages that must be shared."""

    descriptors: int
    payloads: int
    padding: int
    shared_pages: int


def held_areas(scenario: Scenario, machine: Machine) -> dict[tuple[int, str], int]:
    """Return {(owner, feature): gpa} of the areas for which the guest holds memory.

    An area under a name that is no feature of the scenario, which a hostile guest may claim, is not counted; nor is
    one in memory that the host provides.
    """
    is_value = {feature.name: feature.is_value for feature in scenario.features}
    return {
        (owner, name): gpa
        for (owner, name), gpa in beliefs(machine.notes).items()
        if not scenario.addresses.belongs_to_host(gpa)
        and name in is_value
        and (not is_value[name] or area(owner, name) in machine.ever)
    }


def padding(descriptor: int, features: Iterable[Feature]) -> int:
    """Return the bytes lost to alignment between a descriptor of this size (0: none) and areas of ``features``."""
    end = lost = 0
    pieces = [(descriptor, DESCRIPTOR_ALIGN)] if descriptor else []
    for size, align in (*pieces, *((feature.size, feature.align) for feature in features)):
        gap = -end % align
        lost += gap
        end += gap + size
    return lost


def guest_memory_use(scenario: Scenario, machine: Machine) -> GuestMemoryUse:
    """Return what the guest of ``machine`` holds now."""
    layout = scenario.protocol.descriptor
    descriptor = layout.on(scenario.abi).size if layout is not None else 0
    cpus = range(scenario.vcpus) if descriptor else ()
    held = held_areas(scenario, machine)
    pieces = [(gpa, scenario.addresses.size(name)) for (_, name), gpa in held.items()]
    generation = _generation(scenario, held.values())
    pieces += [(scenario.addresses.gpa(Unit(generation, cpu, DESCRIPTOR)), descriptor) for cpu in cpus]
    pages = {
        page
        for gpa, size in pieces
        for page in range(gpa >> PAGE_SHIFT, ((gpa + size - 1) >> PAGE_SHIFT) + 1)
    }

    held_by: dict[int, list[Feature]] = {cpu: [] for cpu in cpus}
    for feature in scenario.features:
        for owner in scenario.owners(feature):
            if (owner, feature.name) in held:
                held_by.setdefault(owner, []).append(feature)
    lost = sum(padding(descriptor if owner in cpus else 0, features) for owner, features in held_by.items())
    payloads = sum(feature.size for features in held_by.values() for feature in features)
    return GuestMemoryUse(descriptor * len(cpus), payloads, lost, len(pages))


def _generation(scenario: Scenario, gpas: Iterable[int]) -> int:
    """Return the kernel in whose memory these areas are: its descriptors are there too."""
    units = (scenario.addresses.unit_at(gpa) for gpa in gpas)
    return max((unit.generation for unit in units if unit is not None), default=0)
