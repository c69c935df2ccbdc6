"""Descriptor race: while vCPU 0 registers, another vCPU overwrites its descriptor once.

A guest that attacks its host does this on purpose (CVE-2023-4155: an SEV-ES guest changed its GHCB between two reads
by KVM); a faulty guest does it by a stray pointer. The new descriptor differs from the one that was checked: its base
lies outside memory. Under a protocol without a descriptor the other vCPU overwrites nothing.
"""

from workbench.clayout.layout import U64
from workbench.core.event_steps import Enter, GuestCall, Start
from workbench.core.scenario import Scenario
from workbench.core.steps import Program, Store
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AfterBoot
from workbench.lifecycle.linux import LinuxKernel


class DescriptorRace(AfterBoot):
    """vCPU 0 boots; the last vCPU, instead of booting, overwrites the base in vCPU 0's descriptor."""

    name = "descriptor-race"
    title = "descriptor changed by another vCPU"
    min_vcpus = 2

    def setup(self, scenario: Scenario) -> Program:
        """Only vCPU 0 boots."""
        yield Start(0, LinuxKernel(scenario).boot)

    def happen(self, scenario: Scenario) -> Program:
        yield Start(scenario.vcpus - 1, GuestCall(scribble, (scenario,)))
        yield Enter(0)


def scribble(cpu: Vcpu, scenario: Scenario) -> Program:
    """Guest: make the first field of vCPU 0's descriptor an address outside memory, aligned for every feature."""
    if scenario.protocol.descriptor is not None:
        yield Store(scenario.cpu(0).descriptor, scenario.end_of_memory, U64)
