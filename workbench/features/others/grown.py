"""struct kvm_steal_time as it has grown: what it was in 2011, and two bytes that were padding then.

Sources: Linux arch/x86/include/uapi/asm/kvm_para.h; "x86/kvm: Support the vCPU preemption check" (0b9f6c4615c9, 4.10);
"KVM: X86: support paravirtualized help for TLB shootdowns" (f38a7b75267f, 4.16). The request for a TLB flush is bit 1
of ``preempted`` there, set and cleared by atomic exchanges; it has a byte of its own here, in the padding at offset 32,
because no step both reads and writes. Alignments are those that put each at its offset behind the first.
"""

from workbench.clayout.layout import U8, Abi, struct
from workbench.core.contracts import Compared, Counted, Feature
from workbench.core.steps import Load, Moment, Program, Store
from workbench.features import seqlock
from workbench.features.steal_time import VERSION, StealTime

FLUSH = 32  #: offset of the byte that asks for a TLB flush

STEAL_BASE = struct("struct steal_base { __u64 steal; __u32 version; __u32 flags; };")


class StealBase(StealTime):
    """The first 16 bytes, which were all that meant something in 2011; the host clears ``preempted`` behind them."""

    name = "steal_base"
    title = "steal time as of 2011"
    payload = STEAL_BASE
    size = 16
    registers = ()
    compared = Compared(version="version", free=("steal", "version"))
    linux_boot, linux_teardown = 0, 2

    def read(self, gpa: int) -> Program:
        """Guest: return a consistent structure, or None."""
        return (yield from seqlock.read(gpa, VERSION, STEAL_BASE.on(Abi.X86_64)))


class Preempted(Feature):
    """One byte: the host sets it when it preempts the vCPU (kvm_steal_time_set_preempted); the next entry clears it."""

    name = "preempted"
    title = "vCPU is preempted"
    payload = struct("struct preempted { __u8 preempted; };")
    size = 1
    align = 16
    update_when = "event"
    counted = Counted(
        "upper bound",
        "KVM sets the byte when the vCPU is put because it was scheduled out, unless it is still set",
        "Linux 6.12 arch/x86/kvm/x86.c, kvm_arch_vcpu_put, kvm_steal_time_set_preempted",
    )
    linux_boot, linux_teardown = 1, 0
    source = "Linux 0b9f6c4615c9 (4.10)"

    def prepare(self, gpa: int) -> Program:
        """Guest: the vCPU runs."""
        yield Store(gpa, 0, U8)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: the vCPU is preempted."""
        yield Store(gpa, 1, U8)

    def read(self, gpa: int) -> Program:
        """Guest: another vCPU looks whether this one runs (vcpu_is_preempted)."""
        return (yield Load(gpa, U8))


class TlbFlush(Feature):
    """One byte: another vCPU asks for a TLB flush (kvm_flush_tlb_multi); the host has made it before the next entry."""

    name = "tlb_flush"
    title = "TLB flush at entry"
    payload = struct("struct tlb_flush { __u8 wanted; };")
    size = 1
    align = 32
    update_when = "entry"
    counted = Counted(
        "upper bound",
        "KVM looks for the request where it updates steal time: after the vCPU was loaded, not at each entry",
        "Linux 6.12 arch/x86/kvm/x86.c, record_steal_time",
    )
    linux_boot, linux_teardown = 2, 1
    source = "Linux f38a7b75267f (4.16)"

    def prepare(self, gpa: int) -> Program:
        """Guest: nothing is asked for."""
        yield Store(gpa, 0, U8)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: if it was asked for, flush, and say so."""
        if (yield Load(gpa, U8)):
            yield Store(gpa, 0, U8)
