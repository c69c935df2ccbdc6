"""Xen's VCPUOP_register_*: one call for each kind of area, by any vCPU for any other, with the address in memory.

Source: xen (c447b7308b13) include/public/vcpu.h, common/domain.c (map_guest_area, vcpu_info_populate,
domain_soft_reset, vcpu_reset), arch/x86/domain.c (do_vcpu_op); guest: Linux 6.12 arch/x86/xen/{enlighten,time,
enlighten_hvm,suspend_hvm}.c; KVM in Xen's place: Linux Documentation/virt/kvm/api.rst 4.126 to 4.129.

R1  Hypercall 24 takes (operation, vCPU, pointer): operation 10 registers vcpu_info, 14 the run states, 15 the secondary
    time, the last two by physical address (Xen 4.18). One exit.
R2  The pointer leads to a structure in memory: for operation 10 {page number, offset}, for the others {address}. It is
    read once.
R3  The area must not cross a page and must be aligned to 8 bytes (-ENXIO), and its page must be there (-EINVAL) and be
    RAM that can be written (-EACCES; here every page can); otherwise nothing changes.
R4  vcpu_info can be registered once for each vCPU (-EBUSY) and never be revoked.
R5  The address ~0 revokes the other two; a second address replaces the first.
R6  Any vCPU may register for any other, which is paused while its area changes; an unknown vCPU is -ENOENT.
R7  Registering writes: in vcpu_info everything is marked pending, so that no event is lost; the time at
    once; run states at once for the caller, and for another vCPU when it is next scheduled (runstate_area_populate).
R8  Nothing compares areas with each other: overlap is not refused.
R9  A reset of the vCPU leaves all areas.
R10 Only a soft reset of the domain revokes them all. Linux asks for it by SHUTDOWN_soft_reset (hypercall 29) when it
    ends in kexec or crash. The next kernel of the model makes the call again, as it cannot know.
R11 No record of the hypervisor's stream carries an area; a guest that takes part registers again after the resume
    (xen_vcpu_restore). Mitigation ``carry-areas``: KVM in Xen's place has an attribute for each area
    (KVM_XEN_VCPU_SET_ATTR), 8 bytes each.
R12 With it, restoring does not write.

Not modelled: the default vcpu_info of the first 32 vCPUs in shared_info; the older operations by virtual address, which
Linux uses (``history/broken/xen.py``).
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U8, struct
from workbench.core.contracts import Feature
from workbench.core.host_state import registry
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.steps import AllVcpus, Backed, Get, Hypercall, Load, Program, Quiesce, Store
from workbench.core.vcpu import Vcpu
from workbench.protocols._kept import Kept

VCPU_OP, SCHED_OP = 24, 29
REGISTER_VCPU_INFO, REGISTER_RUNSTATE, REGISTER_TIME = 10, 14, 15
SCHEDOP_SHUTDOWN, SOFT_RESET = 2, 5
ENOENT, ENXIO, EFAULT, EBUSY, EINVAL, ENOSYS = -2, -6, -14, -16, -22, -38
OPERATIONS = {"vcpu_info": REGISTER_VCPU_INFO, "runstate": REGISTER_RUNSTATE, "vcpu_time": REGISTER_TIME}
OFF = (1 << 64) - 1

AREA = struct("struct vcpu_register_area { __u64 p; __u32 offset; __u32 rsvd; };")


class XenVcpu(Kept):
    """HYPERVISOR_vcpu_op(VCPUOP_register_*)."""

    name = "xen_vcpu"
    title = "Xen VCPUOP_register_*"
    source = "xen include/public/vcpu.h"
    own_features = ("vcpu_info", "runstate", "vcpu_time")
    hypercalls = frozenset({VCPU_OP, SCHED_OP})
    unknown_hypercall = ENOSYS
    descriptor = AREA
    for_others = True  # R6
    numbers: ClassVar[Mapping[str, int]] = OPERATIONS
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "carry-areas": "the VMM carries one attribute for each area, as KVM in Xen's place allows (R11)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        return feature.name in self.numbers

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        operation = self.numbers[feature.name]
        by_page = operation == REGISTER_VCPU_INFO
        page, offset = divmod(gpa, PAGE_SIZE)
        yield Store(cpu.descriptor, AREA(p=page if by_page else gpa, offset=offset if by_page else 0))  # R2
        answer = yield Hypercall(VCPU_OP, (operation, cpu.index, cpu.descriptor))  # R1
        return ACCEPTED if answer == 0 else REFUSED

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if feature.name == "vcpu_info":
            return REFUSED  # R4
        return (yield from self.register(cpu, feature, OFF))  # R5

    @property
    def revokes_everything(self) -> bool:
        return True

    def revoke_everything(self, cpu: Vcpu) -> Program:
        yield Hypercall(SCHED_OP, (SCHEDOP_SHUTDOWN, SOFT_RESET))  # R10

    # -- the host's side -----------------------------------------------------------------------------

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        vcpus = yield AllVcpus()
        if number == SCHED_OP:
            if arguments[:2] == (SCHEDOP_SHUTDOWN, SOFT_RESET):
                yield Quiesce()  # the domain is paused
                yield from self.forget(vcpus)  # R10
            return 0
        operation, target, pointer = arguments
        feature = next((one for one in self.kept() if self.known().get(one.name) == operation), None)
        if feature is None or target not in vcpus:
            return ENOSYS if target in vcpus else ENOENT  # R6
        asked = yield Load(pointer, AREA)  # R2
        if asked is None:
            return EFAULT
        if operation != REGISTER_VCPU_INFO and asked.p == OFF:
            yield from self._change(cpu, target, feature, None)  # R5
            return 0
        gpa = asked.p * PAGE_SIZE + asked.offset if operation == REGISTER_VCPU_INFO else asked.p
        error = yield from self.refusal(target, feature, gpa)
        if error == 0:
            yield from self._change(cpu, target, feature, gpa)  # R8
        return error

    def known(self) -> Mapping[str, int]:
        """Return the operations that the host knows, by feature."""
        return self.numbers

    def refusal(self, target: int, feature: Feature, gpa: int) -> Program:
        """Host: return the error with which an area is refused, or 0."""
        if feature.name == "vcpu_info" and (yield Get(registry(target, feature.name))) is not None:
            return EBUSY  # R4
        if gpa % 8 or gpa % PAGE_SIZE + feature.size > PAGE_SIZE:
            return ENXIO  # R3
        return 0 if (yield Backed(gpa, feature.size)) else EINVAL

    def _change(self, cpu: Vcpu, target: int, feature: Feature, gpa: int | None) -> Program:
        if target != cpu.index:
            yield Quiesce()  # R6: vcpu_pause
        yield from self.keep(target, feature, gpa)
        if gpa is not None and feature.name == "vcpu_info":
            yield Store(gpa, 1, U8)  # R7
        elif gpa is not None and (feature.name != "runstate" or target == cpu.index):
            yield from self.deliver(cpu.but(index=target), feature)

    def on_init(self, cpu: Vcpu) -> Program:
        return  # R9
        yield

    # -- live migration ------------------------------------------------------------------------------

    @property
    def interface(self) -> str:  # type: ignore[override]
        """KVM's attribute, or none."""
        return "KVM_XEN_VCPU_SET_ATTR" if "carry-areas" in self.mitigations else "none"  # R11, R12
