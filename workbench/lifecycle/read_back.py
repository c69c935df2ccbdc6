"""A guest that reads back what it has registered, and believes the host, not itself.

Linux does not look at the outcome of its writes, and reads one of KVM's registers only: POLL_CONTROL, in kvm_suspend
(arch/x86/kernel/kvm.c), to take over polling again on resume if it had. A guest that reads each register learns what
was refused and what was lost; a design without anything to read leaves it with what it believes.
"""

from dataclasses import dataclass

from workbench.core.event_steps import GuestProgram
from workbench.core.outcome import REFUSED
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AtBoot
from workbench.lifecycle.lesser_host import HiddenFeatures
from workbench.lifecycle.linux import LinuxKernel


@dataclass(frozen=True)
class CarefulKernel(LinuxKernel):
    """Linux that reads back every registration, and makes it once more if it is not there."""

    def boot(self, cpu: Vcpu) -> Program:
        """Guest: register, then look."""
        yield from super().boot(cpu)
        here = self.here(cpu)
        for feature in tuple(self.at_boot(cpu)):
            if (yield from self.scenario.look_back(here, feature, self.generation)) is REFUSED:
                yield from self.scenario.enrol(here, feature, self.generation)
                yield from self.scenario.look_back(here, feature, self.generation)


class ReadBack(AtBoot):
    """A guest that reads its registrations back boots."""

    name = "read-back"
    title = "boot, guest reads back"
    group = "other hosts and guests"

    def coming_up(self, scenario: Scenario, cpu: int) -> GuestProgram:
        """Return the boot of a careful kernel."""
        return CarefulKernel(scenario).boot


class ReadBackHidden(ReadBack, HiddenFeatures):
    """It does so where CPUID offers nothing and the host enforces it."""

    name = "read-back-hidden"
    title = "features hidden, guest reads back"
