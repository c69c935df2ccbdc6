"""A host that has never heard of the protocol, and a guest that tries all the same.

A guest should ask CPUID first; one that is told so by a newer VMM, or that does not ask, meets #GP, or, under
kvm.ignore_msrs=1, nothing at all: the write is swallowed (Linux 6.12 arch/x86/kvm/x86.c, kvm_msr_ignored_check).
"""

from dataclasses import replace

from workbench.core.scenario import Scenario
from workbench.lifecycle.event import AtBoot


class OldHost(AtBoot):
    """Nobody knows the register: the guest takes #GP."""

    name = "old-host"
    title = "boot on an older host"
    ignore_msrs = False

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest on a host that claims no register."""
        return replace(
            scenario, host=replace(scenario.host, knows_protocol=False, ignore_msrs=self.ignore_msrs)
        )


class IgnoreMsrs(OldHost):
    """The host swallows the write: to the guest it looks like a success."""

    name = "ignore-msrs"
    title = "older host, ignore_msrs=1"
    ignore_msrs = True
