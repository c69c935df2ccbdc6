"""A guest that uses the protocol on a host that knows it and offers less than usual.

The LAPIC may be emulated by the VMM (no KVM_CREATE_IRQCHIP): KVM then refuses asynchronous page faults, which need an
interrupt (Linux 6.12 arch/x86/kvm/x86.c, kvm_pv_enable_async_pf: lapic_in_kernel). With
KVM_CAP_ENFORCE_PV_FEATURE_CPUID a register whose CPUID bit is not offered does not exist for the guest (66570e966dd9).
"""

from dataclasses import replace

from workbench.core.kvm_registers import APF_DELIVER_AS_VMEXIT, ASYNC_PF_EN
from workbench.core.scenario import Scenario
from workbench.core.vcpu import KVM_SUPPORTED
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


class HiddenAndIgnored(HiddenFeatures):
    """The host does so under kvm.ignore_msrs=1: an access to an unknown register looks like a success."""

    name = "hidden-ignored"
    title = "the same, ignore_msrs=1"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest on a host that ignores what it does not know."""
        return super().adapt(replace(scenario, host=replace(scenario.host, ignore_msrs=True)))


class NoVmexitDelivery(AtBoot):
    """CPUID offers asynchronous page faults, not their delivery as a VM exit (KVM_FEATURE_ASYNC_PF_VMEXIT).

    A guest that asks for it all the same takes #GP (Linux 6.12 arch/x86/kvm/x86.c, kvm_pv_enable_async_pf).
    """

    name = "no-vmexit-delivery"
    title = "boot, delivery as VM exit hidden"
    group = "other hosts and guests"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest without one bit of CPUID, on a host that enforces CPUID."""
        offered = KVM_SUPPORTED if scenario.cpuid is None else scenario.cpuid
        needed = {bit for one, bit in ASYNC_PF_EN.gates if one == APF_DELIVER_AS_VMEXIT}
        return replace(scenario, cpuid=offered - needed, enforce_cpuid=True)
