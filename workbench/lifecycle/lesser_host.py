"""A guest that uses the protocol on a host that knows it and offers less than usual.

The LAPIC may be emulated by the VMM (no KVM_CREATE_IRQCHIP): KVM then refuses asynchronous page faults, which need an
interrupt (Linux 6.12 arch/x86/kvm/x86.c, kvm_pv_enable_async_pf: lapic_in_kernel). With
KVM_CAP_ENFORCE_PV_FEATURE_CPUID a register whose CPUID bit is not offered does not exist for the guest (66570e966dd9).
"""

from dataclasses import replace

from workbench.core.scenario import Scenario
from workbench.lifecycle.event import AtBoot


class NoLapic(AtBoot):
    """The LAPIC is not in the kernel."""

    name = "no-lapic"
    title = "boot, LAPIC not in the kernel"
    group = "other hosts and guests"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest on a host without a LAPIC of its own."""
        return replace(scenario, host=replace(scenario.host, irqchip=False), rightly_refused=True)


class HiddenFeatures(AtBoot):
    """CPUID offers nothing and the host enforces it; the guest does not look."""

    name = "hidden-features"
    title = "boot, features hidden and enforced"
    group = "other hosts and guests"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest without a bit of CPUID."""
        return replace(scenario, cpuid=frozenset(), enforce_cpuid=True, rightly_refused=True)
