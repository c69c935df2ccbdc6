"""A guest that uses the protocol on a host that does not know it.

A guest should check CPUID first. If it does not, or if a newer VMM sets the CPUID bit, its write takes #GP; under
kvm.ignore_msrs=1 the write has no effect and no error (Linux 6.12 arch/x86/kvm/x86.c, kvm_do_msr_access).
"""

from dataclasses import replace

from workbench.core.scenario import Scenario
from workbench.lifecycle.event import AtBoot


class OldHost(AtBoot):
    """The host does not know the register: the guest takes #GP."""

    name = "old-host"
    title = "boot on an older host"
    group = "other hosts and guests"
    ignore_msrs = False

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest on a host that claims no register."""
        return replace(
            scenario, host=replace(scenario.host, knows_protocol=False, ignore_msrs=self.ignore_msrs)
        )


class IgnoreMsrs(OldHost):
    """The host ignores the write, which looks like a success to the guest."""

    name = "ignore-msrs"
    title = "older host, ignore_msrs=1"
    ignore_msrs = True
