"""Xen's VCPUOP_register_*: unchecked alignment, no revocation, an offered call refused, a virtual address.

EarlyXen (operation 10)
V1  The alignment is not checked. On Arm the host's exclusive accesses to a misaligned structure fault.
V2  Mitigation ``check-alignment``: a misaligned address is refused (XSA-327, CVE-2020-15564; R3 of the design).
V3  The kernel ends without a soft reset, so that its vcpu_info, which nothing else revokes, outlives it.
V4  Mitigation ``soft-reset``: Linux asks for one on kexec and crash (arch/x86/xen/enlighten_hvm.c; R10).

RunstatePhysical (operation 14)
V5  XENFEAT_runstate_phys_area is offered unconditionally, and Arm's do_vcpu_op does not know the operation.
V6  Mitigation ``offer-what-works``: what is offered is accepted.

RunstateVirtual (operation 5)
V7  The address is virtual; the host finds the memory at each update through the page tables in use then.
V8  Mitigation ``by-physical-address``: it is a gpa (operation 14, Xen 4.18; "Error during update_runstate_area with
    KPTI activated", xen-devel, May 2020).
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U8, U64
from workbench.core.contracts import Feature
from workbench.core.host_state import area, registry
from workbench.core.steps import Get, Load, Moment, Note, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.features.others import xen
from workbench.history.events.guest import MAPPED
from workbench.history.properties import DROPPED, TRIPPED
from workbench.protocols.xen_vcpu import EBUSY, OPERATIONS, XenVcpu

REGISTER_RUNSTATE_BY_VIRTUAL_ADDRESS = 5


class EventChannels(xen.VcpuInfo):
    """vcpu_info on a host whose atomic accesses must be aligned."""

    name = "vcpu_info"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        if gpa % self.align:
            yield Note(TRIPPED, True)  # V1
        else:
            yield Store(gpa, 1, U8)


class EarlyXen(XenVcpu):
    """VCPUOP_register_vcpu_info before XSA-327."""

    name = "xen_early"
    title = "Xen vcpu_info (before XSA-327)"
    numbers: ClassVar[Mapping[str, int]] = {"vcpu_info": OPERATIONS["vcpu_info"]}
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "check-alignment": "a misaligned address is refused (V2)",
        "soft-reset": "a kernel that ends asks for a soft reset (V4)",
    }

    @property
    def revokes_everything(self) -> bool:
        return "soft-reset" in self.mitigations  # V3, V4

    def refusal(self, target: int, feature: Feature, gpa: int) -> Program:
        if "check-alignment" in self.mitigations:
            return (yield from super().refusal(target, feature, gpa))  # V2
        return 0 if (yield Get(registry(target, feature.name))) is None else EBUSY  # V1


class RunstatePhysical(XenVcpu):
    """VCPUOP_register_runstate_phys_area on Arm."""

    name = "xen_runstate_phys"
    title = "Xen runstate by gpa on Arm (4.18)"
    numbers: ClassVar[Mapping[str, int]] = {"runstate": OPERATIONS["runstate"]}
    mitigations_known: ClassVar[Mapping[str, str]] = {"offer-what-works": "what is offered is accepted (V6)"}

    def known(self) -> Mapping[str, int]:
        return super().known() if "offer-what-works" in self.mitigations else {}  # V5, V6


class RunstateVirtual(XenVcpu):
    """VCPUOP_register_runstate_memory_area."""

    name = "xen_runstate_virtual"
    title = "Xen runstate by virtual address"
    numbers: ClassVar[Mapping[str, int]] = {"runstate": REGISTER_RUNSTATE_BY_VIRTUAL_ADDRESS}
    mitigations_known: ClassVar[Mapping[str, str]] = {"by-physical-address": "the address is a gpa (V8)"}

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        is_registered = (yield Get(area(cpu.index, feature.name))) is not None
        if is_registered and "by-physical-address" not in self.mitigations and not (yield Load(MAPPED, U64)):
            yield Note(DROPPED, True)  # V7
        else:
            yield from super().deliver(cpu, feature)  # V8
