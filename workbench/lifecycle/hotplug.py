"""CPU hotplug: a vCPU comes up in a running guest, or goes down, and its memory is used for something else.

Linux registers in the cpuhp callback "x86/kvm:online" and revokes in kvm_cpu_down_prepare
(arch/x86/kernel/kvm.c). An offline CPU halts, but the host still schedules its vCPU now and then, and
every such load writes steal time; before "x86/kvm: Teardown PV features on boot CPU as well" (8b79feffeca2)
and related commits of Linux 5.13 not every path revoked everything, and the host wrote into reused pages.
"""

from workbench.core.event_steps import Enter, KernelGone, Reassign, Start, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot, boot_all, enter_all, of_its_own
from workbench.lifecycle.linux import LinuxKernel


def last(scenario: Scenario) -> int:
    """Return the vCPU that is plugged or unplugged."""
    return scenario.vcpus - 1


class CpuHotplug(AfterBoot):
    """The last vCPU comes up after the others have booted."""

    name = "cpu-hotplug"
    title = "CPU hotplug"
    group = "kernels and CPUs come and go"
    min_vcpus = 2

    def setup(self, scenario: Scenario) -> Program:
        """All but the last boot."""
        yield from boot_all(scenario, without=last(scenario))

    def happen(self, scenario: Scenario) -> Program:
        yield Start(last(scenario), LinuxKernel(scenario).boot)
        yield from enter_all(scenario)


def reuse_memory(scenario: Scenario, cpu: int) -> Program:
    """The offline vCPU's per-CPU page gets a new owner, and the host still loads the vCPU.

    An area whose revocation was refused is kept: the guest knows that the host still writes there.
    """
    yield Wait(cpu)
    yield Reassign(scenario.addresses.units(scenario.kernel, cpu), keeps_registered=True)
    yield Enter(cpu)


class CpuUnplug(AfterBoot):
    """The last vCPU revokes and goes down; its page is used for something else."""

    name = "cpu-unplug"
    title = "CPU unplug with teardown"
    group = "kernels and CPUs come and go"
    min_vcpus = 2
    takes_down = True

    def happen(self, scenario: Scenario) -> Program:
        yield from of_its_own(last(scenario), LinuxKernel(scenario).teardown)
        yield from reuse_memory(scenario, last(scenario))


class CpuUnplugWithoutTeardown(AfterBoot):
    """The last vCPU goes down and revokes nothing."""

    name = "cpu-unplug-no-teardown"
    title = "CPU unplug without teardown"
    group = "kernels and CPUs come and go"
    min_vcpus = 2
    takes_down = True

    def happen(self, scenario: Scenario) -> Program:
        yield Start(last(scenario), LinuxKernel(scenario).play_dead)
        yield KernelGone((last(scenario),))
        yield from reuse_memory(scenario, last(scenario))
