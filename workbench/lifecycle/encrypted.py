"""An encrypted guest (AMD SEV): the host can access only memory that the guest shares with it.

Linux shares the per-CPU areas of all CPUs before it registers any (arch/x86/kernel/kvm.c, sev_map_percpu_data;
kvmclock.c, kvmclock_init_mem). A register's value reaches the host without shared memory; a descriptor in memory
must be shared like the areas, and all code that can write this memory can change it between filling and use.
"""

from dataclasses import replace

from workbench.core.event_steps import GuestProgram
from workbench.core.scenario import Scenario
from workbench.lifecycle.event import AtBoot
from workbench.lifecycle.linux import LinuxKernel


class Encrypted(AtBoot):
    """The guest shares its areas and descriptors first."""

    name = "encrypted"
    title = "encrypted guest"
    group = "other hosts and guests"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest with encrypted memory."""
        return replace(scenario, encrypted=True)


class EncryptedUnshared(Encrypted):
    """The guest does not share its areas and descriptors, so the host cannot access them."""

    name = "encrypted-unshared"
    title = "encrypted guest, nothing shared"

    def coming_up(self, scenario: Scenario, cpu: int) -> GuestProgram:
        """Return Linux's registration without the sharing."""
        return LinuxKernel(scenario).online
