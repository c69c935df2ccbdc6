"""kexec: another kernel starts in the same machine. The host learns of it only if the guest tells it.

Linux revokes from the reboot notifier on every CPU (kvm_pv_reboot_notify, arch/x86/kernel/kvm.c); kernels
before 5.13 did so on some CPUs or not at all (commits 8b79feffeca2, c02027b5742b, 3d6b84132d2a), and their
hosts wrote into the new kernel's memory.

If one call revokes for all CPUs (``Protocol.revokes_everything``), the old kernel waits until no CPU is coming up
(cpu_hotplug_disable, as in migrate_to_reboot_cpu, kernel/cpu.c), stops the other CPUs and makes the call. The new
kernel makes it again before it starts other CPUs: it knows that it was started by kexec (type_of_loader 0xd in the boot
protocol), but cannot know how the old kernel ended.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from workbench.core.contracts import Feature
from workbench.core.event_steps import KernelGone, Reassign, Start, Wait, WaitAll, each
from workbench.core.host_state import VM
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AfterBoot, enter_all, starting
from workbench.lifecycle.linux import LinuxKernel


def reused_memory(scenario: Scenario) -> Reassign:
    """The step that gives all memory of the old kernel a new owner."""
    addresses, owners = scenario.addresses, (VM, *range(scenario.vcpus))
    return Reassign(tuple(unit for owner in owners for unit in addresses.units(scenario.kernel, owner)))


def new_kernel(scenario: Scenario) -> Program:
    """The old kernel and its notes are gone, and its memory has a new owner."""
    yield KernelGone(tuple(range(scenario.vcpus)))
    yield reused_memory(scenario)


def revoked_for_all(scenario: Scenario, *first: Callable[[int], Any]) -> Program:
    """The old kernel stops all CPUs but one, which then revokes the areas of all CPUs.

    The others are stopped first, because an area that a running CPU registers meanwhile would survive the call.
    ``first``: steps before the stop in each CPU's turn, as in ``each``.
    """
    old = LinuxKernel(scenario)
    yield each(range(1, scenario.vcpus), *first, lambda cpu: Start(cpu, old.play_dead))
    yield Start(0, old.revoke_everything)
    yield Wait(0)


@dataclass(frozen=True)
class SilentKernel(LinuxKernel):
    """A kernel without paravirtual features (``nopv``): it revokes what it can, and registers nothing."""

    def at_boot(self, cpu: Vcpu) -> Iterator[Feature]:
        """No feature."""
        return iter(())


def next_kernel_boots(scenario: Scenario, vcpus: int, kind: type[LinuxKernel] = LinuxKernel) -> Program:
    """The next kernel, of this kind, comes up on ``vcpus`` CPUs."""
    new = kind(scenario, 1, None if vcpus == scenario.vcpus else vcpus)
    if scenario.protocol.revokes_everything:
        yield Start(0, new.revoke_everything)
        yield Wait(0)
    yield starting(range(vcpus), lambda cpu: new.boot)


class Kexec(AfterBoot):
    """The old kernel revokes on every CPU, or on one for all; then the new one boots."""

    name = "kexec"
    title = "kexec with teardown"
    group = "kernels and CPUs come and go"
    new_kernels = 1

    def happen(self, scenario: Scenario) -> Program:
        if scenario.protocol.revokes_everything:
            yield from revoked_for_all(scenario, Wait)
            # Reassign first: it need not wait for what the host does for the halted vCPUs, as KernelGone must.
            yield reused_memory(scenario)
            yield KernelGone(tuple(range(scenario.vcpus)))
        else:
            yield from self._revoked_by_each(scenario)
            yield from new_kernel(scenario)
        yield from enter_all(scenario)
        yield from next_kernel_boots(scenario, scenario.vcpus)
        yield from enter_all(scenario)

    def _revoked_by_each(self, scenario: Scenario) -> Program:
        old, everyone = LinuxKernel(scenario), tuple(range(scenario.vcpus))
        yield starting(everyone, lambda cpu: old.teardown)
        yield WaitAll(everyone)


class KexecWithoutTeardown(AfterBoot):
    """The old kernel revokes nothing; the new one runs for a while before it registers anything."""

    name = "kexec-no-teardown"
    title = "kexec without teardown"
    group = "kernels and CPUs come and go"
    new_kernels = 1
    next_kernel: ClassVar[type[LinuxKernel]] = LinuxKernel

    def happen(self, scenario: Scenario) -> Program:
        yield from new_kernel(scenario)
        yield from enter_all(scenario)
        yield from next_kernel_boots(scenario, scenario.vcpus, self.next_kernel)
        yield from enter_all(scenario)


class KexecToSilent(KexecWithoutTeardown):
    """Nor does the new one register anything, so a revocation that leaves an area is not repaired by it."""

    name = "kexec-to-silent"
    title = "kexec, new kernel registers nothing"
    next_kernel = SilentKernel
