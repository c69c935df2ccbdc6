"""INIT: an application CPU (or the only CPU) is reset in place, and started again by SIPI.

INIT is how a CPU leaves one piece of software for another: offline and online again, a crash kernel that takes
further CPUs, firmware. KVM clears all per-vCPU registrations then, but not WALL_CLOCK, which belongs to
the VM, and not POLL_CONTROL (Linux 6.12 arch/x86/kvm/x86.c, kvm_vcpu_reset; lapic.c, kvm_lapic_reset).
"""

from workbench.core.event_steps import Enter, Init, KernelGone, Start
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot
from workbench.lifecycle.hotplug import last
from workbench.lifecycle.linux import LinuxKernel


def reset(scenario: Scenario) -> Program:
    """The last vCPU receives INIT; what ran on it, and what that believed, is gone."""
    yield Init(last(scenario))
    yield KernelGone((last(scenario),))


class InitAndOnline(AfterBoot):
    """The vCPU comes up again and registers again."""

    name = "init"
    title = "INIT, then online again"

    def happen(self, scenario: Scenario) -> Program:
        yield from reset(scenario)
        yield Start(last(scenario), LinuxKernel(scenario).online)
        yield Enter(last(scenario))


class InitOnly(AfterBoot):
    """What is started on the vCPU knows of no registration: what does the host still hold?"""

    name = "init-no-reregister"
    title = "INIT, no registration after it"

    def happen(self, scenario: Scenario) -> Program:
        yield from reset(scenario)
        yield Enter(last(scenario))
