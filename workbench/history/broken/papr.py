"""PAPR's H_REGISTER_VPA: one call for three kinds of area, with the size stored in the area itself.

V1  The guest writes its length at offset 4 of the area; the host reads it there. PAPR asks for at least 640 bytes.
V2  KVM before 4.14 compared it with the 1024 bytes of its own structure.
V3  Mitigation ``at-least-640``: it compares with PAPR's minimum (Linux arch/powerpc/include/asm/lppaca.h).
V4  A dispatch trace log can be registered only where there is a VPA (else H_RESOURCE), by guest and VMM alike.
V5  The VMM could not read the registrations, so a migration lost them.
V6  Mitigation ``one-reg``: each kind of area has a pseudo-register (55b665b0263a, 2012).
V7  A VMM that restores the log before the VPA restores no log.
V8  Mitigation ``vpa-first``: it restores the VPA first (QEMU target/ppc/kvm.c).

Sources: Linux arch/powerpc/kvm/book3s_hv.c (do_h_register_vpa, kvmppc_set_one_reg_hv).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from workbench.clayout.layout import U16, U64, struct
from workbench.core.contracts import Feature
from workbench.core.host_state import register
from workbench.core.steps import Get, Load, Moment, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.history.broken.call import Call

VPA, DTL = 1, 2
LENGTH = 4  # offset of the length in the area


class Lppaca(Feature):
    """The virtual processor area; the host writes its yield count."""

    name = "vpa"
    title = "virtual processor area"
    payload = struct(
        "struct lppaca { __u32 desc; __u16 size; __u16 reserved; __u64 yield_count; __u8 rest[624]; };"
    )
    size = 640
    align = 128
    update_when = "event"
    linux_boot, linux_teardown = 0, 1
    source = "Linux arch/powerpc/include/asm/lppaca.h"

    def prepare(self, gpa: int) -> Program:
        yield Store(gpa + LENGTH, self.size, U16)  # V1

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        yield Store(gpa + 8, 1, U64)


class DispatchTraceLog(Lppaca):
    """The dispatch trace log: the same head, with its first entry in place of the yield count."""

    name = "dtl"
    title = "dispatch trace log"
    linux_boot, linux_teardown = 1, 0


class RegisterVpa(Call):
    """H_REGISTER_VPA."""

    name = "papr_vpa"
    title = "PAPR H_REGISTER_VPA"
    numbers: ClassVar[Mapping[str, int]] = {"vpa": VPA, "dtl": DTL}
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "at-least-640": "the length is compared with the minimum (V3)",
        "one-reg": "pseudo-registers carry the addresses (V6)",
        "vpa-first": "the VPA is restored first (V8)",
    }

    def allows(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if feature.name == "dtl" and (yield Get(register(cpu.index, VPA))) is None:
            return False  # V4
        length = yield Load(gpa + LENGTH, U16)  # V1
        least = 640 if "at-least-640" in self.mitigations else 1024  # V2, V3
        return length is not None and length >= least

    def restored_in_order(self) -> Sequence[int]:
        return (VPA, DTL) if "vpa-first" in self.mitigations else (DTL, VPA)  # V7, V8

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        if "one-reg" not in self.mitigations:
            return ()  # V5
        return (yield from super().save(cpus))  # V6
