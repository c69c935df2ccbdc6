"""Suspend to RAM and resume: everything is revoked, and registered again.

Linux takes the application CPUs down (kvm_cpu_down_prepare), then the boot CPU revokes in its syscore callback
(kvm_suspend). The wake-up begins at the reset vector. On resume the boot CPU registers kvmclock
(kvm_restore_sched_clock_state), the rest (kvm_resume -> kvm_cpu_online), the wall clock (timekeeping_resume),
and writes POLL_CONTROL 0 again if it was 0; then the application CPUs come up as at boot. cpuidle-haltpoll
returns polling to the host on each CPU that goes down, and takes it over on each that comes up
(drivers/cpuidle/cpuidle-haltpoll.c). Before Linux 5.13 the boot CPU revoked nothing, and the host wrote into a
hibernated guest (8b79feffeca2). Not counted: the one RDMSR by which kvm_suspend reads POLL_CONTROL. The reset
is modelled as INIT; QEMU then also zeroes WALL_CLOCK and POLL_CONTROL, which does not affect the later steps.
"""

from dataclasses import dataclass

from workbench.core.event_steps import Init, Start, Stop, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AfterBoot, enter_all, of_its_own
from workbench.lifecycle.linux import LinuxKernel


@dataclass(frozen=True)
class PollingKernel(LinuxKernel):
    """Linux with cpuidle-haltpoll: it takes over polling after registering, and returns it before revoking."""

    def boot(self, cpu: Vcpu) -> Program:
        """Guest: register, then poll."""
        yield from super().boot(cpu)
        yield from self.take_polling(cpu)

    def online(self, cpu: Vcpu) -> Program:
        """Guest: register, then poll."""
        yield from super().online(cpu)
        yield from self.take_polling(cpu)

    def offline(self, cpu: Vcpu) -> Program:
        """Guest: stop polling, then revoke."""
        yield from self.give_back_polling(cpu)
        yield from self.teardown(cpu)


class SuspendResume(AfterBoot):
    """A guest with cpuidle-haltpoll enters S3 and resumes."""

    name = "suspend-resume"
    title = "suspend and resume"
    group = "kernels and CPUs come and go"

    def setup(self, scenario: Scenario) -> Program:
        """Every vCPU boots and polls for itself."""
        kernel = PollingKernel(scenario)
        for cpu in range(scenario.vcpus):
            yield Start(cpu, kernel.boot)

    def happen(self, scenario: Scenario) -> Program:
        kernel = PollingKernel(scenario)
        everyone = range(scenario.vcpus)
        for cpu in (*everyone[1:], 0):
            yield from of_its_own(cpu, kernel.offline if cpu else kernel.teardown)
            yield Wait(cpu)
            yield Stop(cpu)
        for cpu in everyone:
            yield Init(cpu)
            yield Start(cpu, kernel.online)
        yield from enter_all(scenario)
