"""KVM's SynIC: a restore of the register zeroes the message page.

V1  KVM has no overlay pages: the page is the guest's own, and enabling it zeroes it, also when a VMM restores the
    register.
V2  Mitigation ``synic2``: a restore does not (efc479e6900c, the commit that added KVM_CAP_HYPERV_SYNIC2, Linux
    Documentation/virt/kvm/api.rst 8.11).
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U64
from workbench.core.steps import Program, Store
from workbench.protocols.hyperv import HyperV


class KvmSynic(HyperV):
    """HV_X64_MSR_SIMP in KVM."""

    name = "kvm_synic"
    title = "Hyper-V registers in KVM"
    mitigations_known: ClassVar[Mapping[str, str]] = {"synic2": "a restore does not zero the page (V2)"}

    def lay(self, gpa: int, restoring: bool) -> Program:
        if not restoring or "synic2" not in self.mitigations:
            yield Store(gpa, 0, U64)  # V1, V2

    def lift(self, gpa: int) -> Program:
        return  # V1
        yield
