"""Kernels that go: hibernation, and a last call that revokes for all."""

from workbench.core.event_steps import KernelGone, Start, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot, enter_all, of_its_own
from workbench.lifecycle.kexec import new_kernel, revoked_for_all
from workbench.lifecycle.linux import LinuxKernel


class Shutdown(AfterBoot):
    """kexec of a kernel that revokes on its boot CPU, and on the others if ``every_cpu``; the new one boots there."""

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
    """The kernel that reads the image hands the machine over to the kernel in the image.

    The application CPUs of the first go offline and revoke; the boot CPU did not before Linux 5.13.
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
    """The kernel that believed anything is gone; its memory lies there untouched."""
    yield KernelGone(tuple(range(scenario.vcpus)))


class RevokedForAll(AfterBoot):
    """The kernel's last call makes the host forget the areas of all CPUs; then another kernel boots on vCPU 0.

    A crash, in which the other CPUs stop where they are before that call and nobody uses the dead kernel's memory,
    or (with ``reuses_memory``) a kexec that ends in a reset of the domain.
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
