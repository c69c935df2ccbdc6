"""H_REGISTER_VPA in older kernels and VMMs: a length compared with the host's own, nothing restored, or not in order.

V1  KVM before 4.14 compared the length with the 1024 bytes of its own structure (R3 of the design: 640).
V2  Mitigation ``at-least-640``: it compares with PAPR's minimum (Linux arch/powerpc/include/asm/lppaca.h).
V3  The VMM could not read the registrations, so a migration lost them.
V4  Mitigation ``one-reg``: each kind of area has a pseudo-register (55b665b0263a, 2012; R11).
V5  A VMM that restores the log before the VPA restores no log (R12).
V6  Mitigation ``vpa-first``: it restores the VPA first (QEMU target/ppc/kvm.c; R13).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.protocols.papr_vpa import PaprVpa, Sort


class EarlyVpa(PaprVpa):
    """H_REGISTER_VPA before its fixes."""

    name = "papr_early"
    title = "PAPR H_REGISTER_VPA (until 2017)"
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "at-least-640": "the length is compared with the minimum (V2)",
        "one-reg": "pseudo-registers carry the addresses (V4)",
        "vpa-first": "the VPA is restored first (V6)",
    }

    def least(self, sort: Sort) -> int:
        return 1024 if sort.least == 640 and "at-least-640" not in self.mitigations else sort.least  # V1, V2

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        if "one-reg" not in self.mitigations:
            return ()  # V3
        return (yield from super().save(cpus))  # V4

    def restored_in_order(self) -> tuple[str, ...]:
        order = super().restored_in_order()
        return order if "vpa-first" in self.mitigations else order[::-1]  # V5, V6
