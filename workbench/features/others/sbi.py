"""The steal-time structure of RISC-V's SBI extension STA.

riscv-sbi-doc, ext-steal-time.adoc; Linux arch/riscv/include/asm/sbi.h (struct sbi_sta_struct).
"""

from workbench.clayout.layout import U64, Abi, struct
from workbench.core.contracts import Counted, Feature
from workbench.core.host_state import baseline
from workbench.core.steps import Get, Load, Moment, Program, Set, Store
from workbench.features import seqlock

STA = struct("""
struct sbi_sta_struct {
    __u32 sequence;
    __u32 flags;
    __u64 steal;
    __u8  preempted;
    __u8  pad[47];
};
""")
STEAL = STA.on(Abi.X86_64).offset_of("steal")


class SbiStealTime(Feature):
    """struct sbi_sta_struct: the host adds the time stolen since its last update, under an odd sequence."""

    name = "sbi_sta"
    title = "SBI steal time"
    payload = STA
    size = 64
    align = 64
    update_when = "entry"
    counters = ("steal",)
    counted = Counted(
        "upper bound",
        "KVM updates at the first entry after the vCPU was loaded onto a CPU; an entry after an exit that KVM handled "
        "itself has no update",
        "Linux arch/riscv/kvm/vcpu.c, kvm_arch_vcpu_load (KVM_REQ_STEAL_UPDATE)",
    )
    linux_boot = linux_teardown = 0
    source = "riscv-sbi-doc, ext-steal-time.adoc"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: kvm_riscv_vcpu_record_steal_time."""
        sequence = yield from seqlock.begin(gpa)
        if sequence is None:
            return
        steal = yield Load(gpa + STEAL, U64)
        if steal is None:
            return
        last = (yield Get(baseline(cpu, self.name))) or 0
        yield Store(gpa + STEAL, (steal + now.run_delay - last) & 0xFFFF_FFFF_FFFF_FFFF, U64)
        yield Set(baseline(cpu, self.name), now.run_delay)
        yield from seqlock.end(gpa, sequence)

    def read(self, gpa: int) -> Program:
        """Guest: return a consistent structure, or None (pv_time_steal_clock)."""
        return (yield from seqlock.read(gpa, 0, STA.on(Abi.X86_64)))
