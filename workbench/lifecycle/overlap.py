"""Areas that overlap: all features of one vCPU at one address, or two vCPUs at one address.

No KVM register compares its address with another's, and the 2011 patch requires no such check. All areas are
registered and all are written: each update garbles the payloads of the others. Their fate is ``registered``,
because guest and host agree; the explorer has a property for overlapping areas.
"""

from dataclasses import dataclass

from workbench.core.event_steps import Enter, Start
from workbench.core.hypercalls import share
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AfterBoot, boot_all, enter_all
from workbench.lifecycle.hotplug import last
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.scratch import target


@dataclass(frozen=True)
class OverlappingKernel(LinuxKernel):
    """A kernel that registers areas at addresses that are already in use."""

    def pile_up(self, cpu: Vcpu) -> Program:
        """Guest: register every feature of this CPU at the same address, those of the VM first."""
        if self.scenario.encrypted:
            yield from self.share(cpu)
            yield share(target(0), 1)
        for feature in reversed(tuple(self.at_boot(cpu))):
            yield from self.scenario.enrol(self.here(cpu), feature, self.generation, target(0))

    def squat(self, cpu: Vcpu) -> Program:
        """Guest: register every feature of this CPU in the area of vCPU 0."""
        addresses = self.scenario.addresses
        if self.scenario.encrypted:
            yield from self.share(cpu)
        for feature in tuple(self.at_boot(cpu)):
            gpa = addresses.gpa(addresses.area(self.generation, 0, feature))
            yield from self.scenario.enrol(self.here(cpu), feature, self.generation, gpa)


class Overlap(AfterBoot):
    """vCPU 0 registers all its features at one address."""

    name = "overlap"
    title = "features at one address"
    group = "areas and memory change"

    def setup(self, scenario: Scenario) -> Program:
        """The other vCPUs boot."""
        yield from boot_all(scenario, without=0)

    def happen(self, scenario: Scenario) -> Program:
        yield Start(0, OverlappingKernel(scenario).pile_up)
        yield Enter(0)


class OverlapVcpus(AfterBoot):
    """The last vCPU registers its features at the addresses of vCPU 0's areas."""

    name = "overlap-vcpus"
    title = "two vCPUs at one address"
    group = "areas and memory change"
    min_vcpus = 2

    def setup(self, scenario: Scenario) -> Program:
        """The other vCPUs boot."""
        yield from boot_all(scenario, without=last(scenario))

    def happen(self, scenario: Scenario) -> Program:
        yield Start(last(scenario), OverlappingKernel(scenario).squat)
        yield from enter_all(scenario)
