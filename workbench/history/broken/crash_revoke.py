"""Linux since 5.13 on a crash: the crashing CPU revokes its own areas, but cannot write the registers of others.

V1  As in Linux: a register belongs to one CPU, and no call can name another CPU.
V2  Mitigation ``revoke-everything``: one more register, whose write revokes the areas of all vCPUs on the host.
    No KVM has it; doorbell 0 of the proposed pvsched device and a virtio device reset have this effect.
V3  The other CPUs are stopped first. Linux revokes before it stops them, which suits V1; with V2 a registration in
    progress on another CPU would come after the revocation.

Sources: "x86/kvm: Disable all PV features on crash" (3d6b84132d2a, 5.13); Linux Documentation/virt/hyperv/overview.rst
says the same of Hyper-V: in a panic the registers of other CPUs cannot be written.
"""

from typing import ClassVar

from workbench.core.host_state import area, register
from workbench.core.outcome import HANDLED
from workbench.core.steps import Program, Set, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature

MSR_REVOKE_EVERYTHING = 0x4B56_4DF2
#: The vCPUs of the host; the machines that are explored have two.
VCPUS = 2


class CrashRevoke(PerFeature):
    """One MSR per feature, and one that revokes all areas."""

    name = "crash_revoke"
    title = "revocation by each CPU alone (5.13)"
    msrs = PerFeature.msrs | {MSR_REVOKE_EVERYTHING}
    mitigations_known: ClassVar[dict[str, str]] = {"revoke-everything": "one write revokes for all (V2)"}

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: revoke as the crashing CPU does."""
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
