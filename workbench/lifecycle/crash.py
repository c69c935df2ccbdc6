"""Crash: a panic starts the crash kernel on the crashing CPU; the other CPUs are stopped wherever they are.

kvm_crash_shutdown (Linux 6.12 arch/x86/kernel/kvm.c; since "x86/kvm: Disable all PV features on crash",
3d6b84132d2a, 5.13) revokes on the crashing CPU only, then native_machine_crash_shutdown stops the others by NMI.
The crash kernel runs on one CPU in memory reserved at boot (crashkernel=), so the dead kernel's memory is
not reused: it is only read for the dump. Host writes there harm no other owner and are not counted as stray
writes. But the areas of the stopped CPUs are stale, because the kernel that registered them is dead, and the
dump changes while it is read.

If one call revokes for all CPUs (``Protocol.revokes_everything``), the crashing CPU makes this call after it has
stopped the others, and the crash kernel makes it again.
"""

from workbench.core.event_steps import KernelGone, Start, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot, enter_all, starting
from workbench.lifecycle.kexec import next_kernel_boots, revoked_for_all
from workbench.lifecycle.linux import LinuxKernel


class Crash(AfterBoot):
    """vCPU 0 panics, revokes its own areas (or all, if one call can), and runs the crash kernel."""

    name = "crash"
    title = "crash, kernel dump"
    group = "kernels and CPUs come and go"
    new_kernels = 1
    takes_down = True

    def happen(self, scenario: Scenario) -> Program:
        if scenario.protocol.revokes_everything:
            yield from revoked_for_all(scenario)
        else:
            yield from self._revoked_by_one(scenario)
        yield KernelGone(tuple(range(scenario.vcpus)))
        yield from enter_all(scenario)
        yield from next_kernel_boots(scenario, 1)
        yield from enter_all(scenario)

    def _revoked_by_one(self, scenario: Scenario) -> Program:
        dead = LinuxKernel(scenario)
        yield Start(0, dead.teardown)
        yield Wait(0)
        yield starting(range(1, scenario.vcpus), lambda cpu: dead.play_dead)
