"""Kernels that are replaced: kexec, hibernation, and a last call that revokes the areas of all CPUs."""

from workbench.core.event_steps import KernelGone, Start, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot, enter_all, of_its_own
from workbench.lifecycle.kexec import new_kernel, revoked_for_all
from workbench.lifecycle.linux import LinuxKernel


class Shutdown(AfterBoot):
    """kexec of a kernel that revokes on its boot CPU, and on the others if ``every_cpu``; then the new one boots."""

    name = "shutdown"
    title = "kexec, which CPUs revoke?"

    def __init__(self, every_cpu: bool) -> None:
        self.every_cpu = every_cpu

    def happen(self, scenario: Scenario) -> Program:
        old, new = LinuxKernel(scenario), LinuxKernel(scenario, 1)
        for cpu in range(scenario.vcpus):
            revokes = self.every_cpu or not cpu
            yield from of_its_own(cpu, old.teardown if revokes else old.play_dead)
            yield Wait(cpu)
        yield from new_kernel(scenario)
        yield from enter_all(scenario)
        yield Start(0, new.boot)
        yield from enter_all(scenario)


class Hibernation(AfterBoot):
    """Resume from hibernation: the kernel that reads the image is replaced by the kernel in the image.

    The application CPUs of the first kernel go offline and revoke; before Linux 5.13, its boot CPU did not.
    """

    name = "hibernation"
    title = "resume from hibernation"

    def __init__(self, boot_cpu_revokes: bool) -> None:
        self.boot_cpu_revokes = boot_cpu_revokes

    def happen(self, scenario: Scenario) -> Program:
        old, image = LinuxKernel(scenario), LinuxKernel(scenario, 1)
        cpus = tuple(range(scenario.vcpus))
        for cpu in cpus:
            if cpu or self.boot_cpu_revokes:
                yield from of_its_own(cpu, old.teardown)
            yield Wait(cpu)
        yield from new_kernel(scenario)
        yield from enter_all(scenario)
        for cpu in cpus:
            yield Start(cpu, image.online)
        yield from enter_all(scenario)


def all_forget(scenario: Scenario) -> Program:
    """Clear the beliefs of the kernel that is gone; its memory stays unchanged."""
    yield KernelGone(tuple(range(scenario.vcpus)))


class RevokedForAll(AfterBoot):
    """The kernel's last call revokes the areas of all CPUs on the host; then another kernel boots on vCPU 0.

    A crash, in which the other CPUs stop where they are before that call and the dead kernel's memory is not used
    again, or (with ``reuses_memory``) a kexec that ends in a reset of the domain.
    """

    name = "revoked-for-all"
    title = "kernel goes, everything revoked"

    def __init__(self, reuses_memory: bool) -> None:
        self.reuses_memory = reuses_memory

    def happen(self, scenario: Scenario) -> Program:
        new = LinuxKernel(scenario, 1)
        yield from revoked_for_all(scenario)
        yield from (new_kernel(scenario) if self.reuses_memory else all_forget(scenario))
        yield from enter_all(scenario)
        yield Start(0, new.boot)
        yield from enter_all(scenario)
