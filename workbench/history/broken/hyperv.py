"""Hyper-V's synthetic registers: pages zeroed by a restore, two pages at one address, pages without memory.

V1  Enabling a SynIC message page zeroes it, also when a VMM restores the register.
V2  Mitigation ``synic2``: a restore does not (KVM_CAP_HYPERV_SYNIC2, Linux Documentation/virt/kvm/api.rst 8.11).
V3  Two overlay pages may be enabled at one address; which one is seen is up to the implementation (TLFS 5.2.1).
V4  Mitigation ``refuse-stacking``: the second is refused. This project's; no implementation is known to do so.
V5  The reference TSC page is enabled at any address and no error is raised (TLFS 12.7.1); the hypercall page's
    register raises #GP for the same address.
V6  Mitigation ``fault-like-hypercall``: both do. This project's.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U64, struct
from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.steps import Backed, Get, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.history.broken.call import Call
from workbench.history.broken.one_word import OneWord

HV_X64_MSR_REFERENCE_TSC, HV_X64_MSR_SIEFP, HV_X64_MSR_SIMP = 0x4000_0021, 0x4000_0082, 0x4000_0083


class MessagePage(OneWord):
    """The SynIC message page; its first word says whether there is a message."""

    name = "simp"
    title = "SynIC message page"
    payload = struct("struct hv_message_page { __u64 message; __u8 rest[4088]; };")
    size = align = 4096
    source = "Linux arch/x86/kvm/hyperv.c"


class EventFlagsPage(MessagePage):
    """The SynIC event flags page."""

    name = "siefp"
    title = "SynIC event flags page"
    linux_boot = linux_teardown = 1


class ReferenceTsc(MessagePage):
    """The reference TSC page; here one for each vCPU, which does not affect the properties checked."""

    name = "reference_tsc"
    title = "reference TSC page"


class Synic(Call):
    """HV_X64_MSR_SIMP, SIEFP and REFERENCE_TSC."""

    name = "hyperv"
    title = "Hyper-V synthetic registers"
    numbers: ClassVar[Mapping[str, int]] = {
        "simp": HV_X64_MSR_SIMP,
        "siefp": HV_X64_MSR_SIEFP,
        "reference_tsc": HV_X64_MSR_REFERENCE_TSC,
    }
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "synic2": "a restore does not zero the page (V2)",
        "refuse-stacking": "a second page at one address is refused (V4)",
        "fault-like-hypercall": "an address without memory is #GP (V6)",
    }

    def allows(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if "fault-like-hypercall" in self.mitigations and not (yield Backed(gpa, feature.size)):  # V5, V6
            return False
        if "refuse-stacking" in self.mitigations:  # V3, V4
            for other in self.features:
                if other is not feature and (yield Get(area(cpu.index, other.name))) == gpa:
                    return False
        return True

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        if msr == HV_X64_MSR_SIMP and value and not (host_initiated and "synic2" in self.mitigations):
            yield Store(value, 0, U64)  # V1, V2
        return outcome
