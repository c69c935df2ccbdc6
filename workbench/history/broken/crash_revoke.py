"""Linux since 5.13 on a crash: the crashing CPU revokes its own areas; the registers of the others are out of reach.

V1  As in Linux: every register is its own CPU's, and no call names another.
V2  Mitigation ``revoke-everything``: one more register, whose write makes the host forget the areas of all vCPUs.
    No KVM has it; doorbell 0 of the proposed pvsched device and a virtio device reset are such.
V3  The other CPUs are stopped first. Linux revokes before it stops them, which suits V1; with V2 a registration that is
    under way on another CPU would outlive the revocation.

Sources: "x86/kvm: Disable all PV features on crash" (3d6b84132d2a, 5.13); Linux Documentation/virt/hyperv/overview.rst
says of Hyper-V what holds here: in a panic the registers of other CPUs cannot be written.
"""

from typing import ClassVar

from workbench.core.host_state import area, register
from workbench.core.outcome import HANDLED
from workbench.core.steps import Program, Set, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature

MSR_REVOKE_EVERYTHING = 0x4B56_4DF2
#: A host knows its vCPUs; the machines that are explored have two.
VCPUS = 2


class CrashRevoke(PerFeature):
    """One MSR per feature, and one that revokes everything."""

    name = "crash_revoke"
    title = "revocation by each CPU alone (5.13)"
    msrs = PerFeature.msrs | {MSR_REVOKE_EVERYTHING}
    mitigations_known: ClassVar[dict[str, str]] = {"revoke-everything": "one write revokes for all (V2)"}

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: what the crashing CPU does."""
        if "revoke-everything" in self.mitigations:
            yield Wrmsr(MSR_REVOKE_EVERYTHING, 1)  # V2
        else:
            for feature in self.features:
                yield from self.unregister(cpu, feature, 0)  # V1

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr != MSR_REVOKE_EVERYTHING:
            return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))
        for index in range(VCPUS):
            for feature in self.features:
                yield Set(register(index, self.register_of[feature.name].msr), None)
                yield Set(area(index, feature.name), None)
        return HANDLED
