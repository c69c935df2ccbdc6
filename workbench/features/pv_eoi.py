"""PV EOI: the guest signals the end of an interrupt by clearing a bit, without an exit.

The host sets bit 0 when it injects an interrupt whose end needs no action; the guest clears it; the host
reads it back at the next exit (Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_EOI_EN;
arch/x86/kvm/lapic.c, pv_eoi_put_user). Four bytes are documented; the host touches one.
"""

from workbench.clayout.layout import U8, U32, struct
from workbench.core.contracts import Compared, Counted, Feature, Hidden
from workbench.core.kvm_registers import KVM_REGISTERS
from workbench.core.steps import Load, Moment, Program, Store

KVM_PV_EOI = struct("""
struct kvm_pv_eoi {
    __u32 pending;
};
""")


class PvEoi(Feature):
    """One bit in four bytes, one area per vCPU; both sides write it."""

    name = "pv_eoi"
    title = "PV EOI"
    payload = KVM_PV_EOI
    size = 4
    align = 4
    update_when = "event"
    counted = Counted(
        "no bound",
        "here, each interrupt is one write; KVM sets the bit at an entry if exactly one interrupt is in service, none "
        "is pending and the I/O APIC needs no EOI, and clears it at the next exit: never, once or several times",
        "Linux 6.12 arch/x86/kvm/lapic.c, apic_sync_pv_eoi_to_guest, apic_sync_pv_eoi_from_guest",
    )
    registers = KVM_REGISTERS["pv_eoi"]
    compared = Compared()
    hidden = Hidden(
        "a pending bit (apic_attention)",
        "computed again: cleared at every exit, set at entry",
        "Linux 6.12 arch/x86/kvm/lapic.c",
    )
    linux_boot = 2
    linux_teardown = 1
    source = "Linux 6.12 arch/x86/kvm/lapic.c"

    def prepare(self, gpa: int) -> Program:
        """Guest: clear the area, so that no EOI exit is skipped yet (kvm_guest_cpu_init writes 0)."""
        yield Store(gpa, 0, U32)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: set the bit, because it injects an interrupt whose end needs no exit."""
        yield Store(gpa, 1, U8)

    def read(self, gpa: int) -> Program:
        """Guest: end an interrupt (test and clear the bit); return True if no exit was needed, else None."""
        pending = yield Load(gpa, U8)
        if pending & 1:
            yield Store(gpa, 0, U8)
            return True
        return None
