"""INIT: an application CPU (or the only CPU) is reset in place, and started again by SIPI.

INIT is used when other software takes over a CPU: when it goes offline and online again, when a crash kernel takes
further CPUs, by firmware. KVM then clears all per-vCPU registrations, but not WALL_CLOCK, which belongs to
the VM, and not POLL_CONTROL (Linux 6.12 arch/x86/kvm/x86.c, kvm_vcpu_reset; lapic.c, kvm_lapic_reset).
"""

from workbench.core.event_steps import Enter, Init, KernelGone, Start
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot
from workbench.lifecycle.hotplug import last
from workbench.lifecycle.linux import LinuxKernel


def reset(scenario: Scenario) -> Program:
    """The last vCPU receives INIT; its kernel, and the notes of what that kernel believed, are gone."""
    yield Init(last(scenario))
    yield KernelGone((last(scenario),))


class InitAndOnline(AfterBoot):
    """The vCPU comes up again and registers again."""

    name = "init"
    title = "INIT, then online again"
    group = "kernels and CPUs come and go"

    def happen(self, scenario: Scenario) -> Program:
        yield from reset(scenario)
        yield Start(last(scenario), LinuxKernel(scenario).online)
        yield Enter(last(scenario))


class InitOnly(AfterBoot):
    """The software started on the vCPU knows of no registration, so every area that the host still serves is stale."""

    name = "init-no-reregister"
    title = "INIT, no registration after it"
    group = "kernels and CPUs come and go"

    def happen(self, scenario: Scenario) -> Program:
        yield from reset(scenario)
        yield Enter(last(scenario))
