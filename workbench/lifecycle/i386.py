"""An i386 guest on an x86-64 host: struct kvm_memory_area has 20 bytes there and 24 here.

u64 is aligned to 4 bytes on i386 and to 8 on x86-64 (System V ABI supplements), so the same C text has no hidden
tail padding in a 32-bit kernel. A host that reads 24 bytes reads 4 bytes beyond the guest's descriptor; if the
memory ends with the descriptor, the read fails. Registers have no such difference.
"""

from dataclasses import dataclass, replace

from workbench.clayout.layout import Abi
from workbench.core.event_steps import GuestProgram
from workbench.core.hypercalls import share
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AtBoot
from workbench.lifecycle.linux import LinuxKernel


class I386Guest(AtBoot):
    """The guest is 32-bit; memory continues after its descriptors."""

    name = "i386-guest"
    title = "i386 guest"
    group = "other hosts and guests"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest, built for i386."""
        return replace(scenario, abi=Abi.I386)


class I386Edge(I386Guest):
    """vCPU 0 keeps its descriptor in the last bytes of guest memory."""

    name = "i386-edge"
    title = "i386 guest, descriptor at the end"

    def coming_up(self, scenario: Scenario, cpu: int) -> GuestProgram:
        """Return Linux's boot; vCPU 0 has its descriptor at the end of the last memslot."""
        return EdgeKernel(scenario).boot if cpu == 0 else super().coming_up(scenario, cpu)


@dataclass(frozen=True)
class EdgeKernel(LinuxKernel):
    """Linux with a descriptor after which there is no memory."""

    def here(self, cpu: Vcpu) -> Vcpu:
        """Return the vCPU's record with its descriptor at the edge, if the protocol has one."""
        descriptor = self.scenario.protocol.descriptor
        if descriptor is None:
            return super().here(cpu)
        return cpu.but(descriptor=self.scenario.end_of_memory - descriptor.on(self.scenario.abi).size)

    def share(self, cpu: Vcpu) -> Program:
        """Guest: share the page of this descriptor too."""
        yield from super().share(cpu)
        yield share(self.here(cpu).descriptor, 1)
