"""Arm's PVTIME (DEN0057): the VMM places the stolen-time area, and the guest asks for its address.

V1  The VMM tells KVM each vCPU's address before the guest runs; the guest's call PV_TIME_ST returns it.
V2  The host writes from the first entry on. If the page belongs to a realm that has not shared it, the access
    faults in the host.
V3  Mitigation ``write-once-asked``: it writes only after the guest's call, before which a guest can share the page.

Sources: Linux arch/arm64/kvm/pvtime.c, Documentation/virt/kvm/arm/pvtime.rst. Realms have no stolen time: "[RFC PATCH
04/16] hw/arm/virt: Add support for Arm RME" (Jean-Philippe Brucker, 27 January 2023); V3 is this project's.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U32, U64, struct
from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import area, register
from workbench.core.outcome import ACCEPTED, REFUSED, UNKNOWN, Outcome
from workbench.core.steps import Get, Moment, Note, Program, Rdmsr, Set, Store
from workbench.core.vcpu import Vcpu
from workbench.history.properties import TRIPPED

PV_TIME_ST = 0xC500_0021


class StolenTime(Feature):
    """struct pvclock_vcpu_stolen_time."""

    name = "stolen_time"
    title = "Arm stolen time"
    payload = struct("struct pvclock_vcpu_stolen_time { __u32 revision; __u32 attributes; __u64 stolen_time; };")
    size = 16
    align = 64
    update_when = "entry"
    linux_boot = linux_teardown = 0
    source = "Arm DEN0057"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        if not (yield Store(gpa + 8, now.run_delay, U64)):
            yield Note(TRIPPED, True)  # V2


class PvTime(Protocol):
    """PV_TIME_ST."""

    name = "arm_pvtime"
    title = "Arm PVTIME"
    msrs = frozenset({PV_TIME_ST})
    mitigations_known: ClassVar[Mapping[str, str]] = {"write-once-asked": "no write before the guest's call (V3)"}

    def place(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """VMM: KVM_ARM_VCPU_PVTIME_IPA."""
        yield Set(register(cpu.index, PV_TIME_ST), gpa)  # V1
        if "write-once-asked" not in self.mitigations:
            yield Set(area(cpu.index, feature.name), gpa)  # V2

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        answer = yield Rdmsr(PV_TIME_ST)  # V1
        return REFUSED if isinstance(answer, Outcome) else ACCEPTED

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        gpa = yield Get(register(cpu.index, PV_TIME_ST))
        if gpa is None:
            return UNKNOWN
        yield Store(gpa, 0, U32)
        yield Set(area(cpu.index, "stolen_time"), gpa)  # V3
        return gpa

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        return UNKNOWN
        yield
