"""Descriptor race: while vCPU 0 registers, another vCPU overwrites its descriptor once.

A guest that attacks its host does this on purpose (CVE-2023-4155: an SEV-ES guest changed its GHCB between two reads
by KVM); a faulty guest does it by a stray pointer. The new descriptor differs from the one that was checked: its base
lies outside memory. Under a protocol without a descriptor the other vCPU overwrites nothing.
"""

from workbench.clayout.layout import U8, U16, U32, U64
from workbench.core.event_steps import Enter, GuestCall, Start
from workbench.core.scenario import Scenario
from workbench.core.steps import Program, Store
from workbench.core.vcpu import Vcpu
from workbench.errors import WorkbenchError
from workbench.lifecycle.event import AfterBoot
from workbench.lifecycle.linux import LinuxKernel

SIZES = {1: U8, 2: U16, 4: U32, 8: U64}


class DescriptorRace(AfterBoot):
    """vCPU 0 boots; the last vCPU, instead of booting, overwrites the base in vCPU 0's descriptor."""

    name = "descriptor-race"
    title = "descriptor changed by another vCPU"
    group = "areas and memory change"
    min_vcpus = 2

    def setup(self, scenario: Scenario) -> Program:
        """Only vCPU 0 boots."""
        yield Start(0, LinuxKernel(scenario).boot)

    def happen(self, scenario: Scenario) -> Program:
        yield Start(scenario.vcpus - 1, GuestCall(scribble, (scenario,)))
        yield Enter(0)


def scribble(cpu: Vcpu, scenario: Scenario) -> Program:
    """Guest: make the address in vCPU 0's descriptor one outside memory, aligned for every feature.

    Raises WorkbenchError if the descriptor has no field of the name that the design gives.
    """
    protocol = scenario.protocol
    if protocol.descriptor is not None:
        layout = protocol.descriptor.on(scenario.abi)
        wanted = protocol.address_field or layout.fields[0].name
        field = next((one for one in layout.fields if one.name == wanted), None)
        if field is None:
            raise WorkbenchError(
                f"protocol {protocol.name}: address_field = {protocol.address_field!r} is no field of "
                f"{layout.struct_name}; fields: {', '.join(one.name for one in layout.fields)}"
            )
        address = scenario.end_of_memory.to_bytes(8, "little")[: field.size]
        yield Store(scenario.cpu(0).descriptor + field.offset, int.from_bytes(address, "little"), SIZES[field.size])
