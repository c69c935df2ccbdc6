"""kexec: another kernel starts in place. The host is not told by anything but the guest itself.

Linux revokes from the reboot notifier on every CPU (kvm_pv_reboot_notify, arch/x86/kernel/kvm.c); kernels
before 5.13 did so on some CPUs or not at all (commits 8b79feffeca2, c02027b5742b, 3d6b84132d2a), and their
hosts wrote into the new kernel's memory.
"""

from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vmsteps import Disown, Forget, Start, Wait
from workbench.lifecycle.event import Event, enter_all
from workbench.lifecycle.linux import LinuxKernel


def new_kernel(scenario: Scenario) -> Program:
    """The old kernel's beliefs are gone and its memory is anybody's."""
    cpus = tuple(range(scenario.vcpus))
    yield Forget(cpus)
    addresses = scenario.addresses
    yield Disown(tuple(unit for cpu in (-1, *cpus) for unit in addresses.units(0, cpu)))


class Kexec(Event):
    """The old kernel revokes on every CPU; then the new one boots."""

    name = "kexec"
    title = "kexec with teardown"

    def strike(self, scenario: Scenario) -> Program:
        old, new = LinuxKernel(scenario), LinuxKernel(scenario, 1)
        for cpu in range(scenario.vcpus):
            yield Start(cpu, old.teardown)
        for cpu in range(scenario.vcpus):
            yield Wait(cpu)
        yield from new_kernel(scenario)
        yield from enter_all(scenario)
        for cpu in range(scenario.vcpus):
            yield Start(cpu, new.boot)
        yield from enter_all(scenario)


class KexecWithoutTeardown(Event):
    """The old kernel revokes nothing; the new one runs for a while before it registers anything."""

    name = "kexec-no-teardown"
    title = "kexec without teardown"

    def strike(self, scenario: Scenario) -> Program:
        new = LinuxKernel(scenario, 1)
        yield from new_kernel(scenario)
        yield from enter_all(scenario)
        for cpu in range(scenario.vcpus):
            yield Start(cpu, new.boot)
        yield from enter_all(scenario)
