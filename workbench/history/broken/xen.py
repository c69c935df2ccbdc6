"""Xen's VCPUOP_register_*: unchecked alignment, no revocation, an offered call refused, a virtual address.

VcpuInfo (operation 10)
V1  The alignment is not checked. On Arm the host's exclusive accesses to a misaligned structure fault.
V2  Mitigation ``check-alignment``: a misaligned address is refused (XSA-327, CVE-2020-15564).
V3  It can be registered once (-EBUSY) and never revoked (Xen public/vcpu.h).
V4  A domain's soft reset revokes it; Linux requests one on kexec and crash (arch/x86/xen/enlighten_hvm.c).

RunstatePhysical (operation 14)
V5  XENFEAT_runstate_phys_area is offered unconditionally, and Arm's do_vcpu_op does not know the operation.
V6  Mitigation ``offer-what-works``: what is offered is accepted.

RunstateVirtual (operation 5)
V7  The address is virtual; the host finds the memory at each update through the page tables in use then.
V8  Mitigation ``by-physical-address``: it is a gpa (operation 14, Xen 4.18; "Error during update_runstate_area with
    KPTI activated", xen-devel, May 2020).

The runstate area is taken to be Linux's steal time: 64 bytes that the host writes at entry.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U64, struct
from workbench.core.contracts import Feature
from workbench.core.host_state import area, register
from workbench.core.outcome import HANDLED
from workbench.core.steps import Get, Load, Moment, Note, Program, Store, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.history.broken.call import Call
from workbench.history.events.guest import MAPPED
from workbench.history.properties import DROPPED, TRIPPED

SHUTDOWN_SOFT_RESET = 5


class EventChannels(Feature):
    """The part of struct vcpu_info in which the host marks an event as pending."""

    name = "vcpu_info"
    title = "Xen vcpu_info"
    payload = struct("struct vcpu_info { __u64 evtchn_pending_sel; __u64 rest[7]; };")
    size = 64
    align = 8
    update_when = "event"
    linux_boot = linux_teardown = 0
    source = "Xen public/vcpu.h"

    def prepare(self, gpa: int) -> Program:
        yield Store(gpa, self.payload())

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        if gpa % self.align:
            yield Note(TRIPPED, True)  # V1
        else:
            yield Store(gpa, 1, U64)


class VcpuInfo(Call):
    """VCPUOP_register_vcpu_info."""

    name = "xen_vcpu_info"
    title = "Xen vcpu_info (before XSA-327)"
    numbers: ClassVar[Mapping[str, int]] = {"vcpu_info": 10}
    msrs = frozenset({10, SHUTDOWN_SOFT_RESET})
    mitigations_known: ClassVar[Mapping[str, str]] = {"check-alignment": "a misaligned address is refused (V2)"}

    def allows(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if "check-alignment" in self.mitigations and gpa % feature.align:
            return False  # V2
        return (yield Get(register(cpu.index, 10))) is None  # V3

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from super(Call, self).unregister(cpu, feature, gpa))  # V3: no way

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: SHUTDOWN_soft_reset."""
        yield Wrmsr(SHUTDOWN_SOFT_RESET, 0)  # V4

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr == SHUTDOWN_SOFT_RESET:
            yield from self.keep(cpu, self.features[0], None)  # V4
            return HANDLED
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))


class RunstatePhysical(Call):
    """VCPUOP_register_runstate_phys_area on Arm."""

    name = "xen_runstate_phys"
    title = "Xen runstate by gpa on Arm (4.18)"
    numbers: ClassVar[Mapping[str, int]] = {"steal_time": 14}
    mitigations_known: ClassVar[Mapping[str, str]] = {"offer-what-works": "what is offered is accepted (V6)"}

    def allows(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return "offer-what-works" in self.mitigations  # V5
        yield


class RunstateVirtual(Call):
    """VCPUOP_register_runstate_memory_area."""

    name = "xen_runstate_virtual"
    title = "Xen runstate by virtual address"
    numbers: ClassVar[Mapping[str, int]] = {"steal_time": 5}
    mitigations_known: ClassVar[Mapping[str, str]] = {"by-physical-address": "the address is a gpa (V8)"}

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        is_registered = (yield Get(area(cpu.index, feature.name))) is not None
        if is_registered and "by-physical-address" not in self.mitigations and not (yield Load(MAPPED, U64)):
            yield Note(DROPPED, True)  # V7
        else:
            yield from super().deliver(cpu, feature)  # V8
