"""Steal time: how long the vCPU was ready to run but did not run.

Rules (Linux arch/x86/kvm/x86.c, record_steal_time; Documentation/virt/kvm/x86/msr.rst, MSR_KVM_STEAL_TIME):
the guest zeroes the 64 bytes; the host *adds* to what it finds, under an odd version, each time it updates;
``flags`` and padding are not touched; ``preempted`` is cleared. Another host starts a new count.

KVM asks for an update when a vCPU's thread is loaded onto a CPU (kvm_arch_vcpu_load: at KVM_RUN, and after the thread
was preempted), not at each entry: an exit that KVM handles itself ends without one. Here every entry is an update, so
the number of updates in a run is an upper bound of KVM's for as many entries (``counted``), and KVM's own where each
entry is a KVM_RUN, as in replay files.
"""

from workbench.clayout.layout import U8, U64, Abi, struct
from workbench.core.contracts import Compared, Counted, Feature, Hidden
from workbench.core.host_state import baseline
from workbench.core.kvm_registers import KVM_REGISTERS
from workbench.core.steps import Get, Load, Moment, Program, Set, Store
from workbench.features import seqlock

KVM_STEAL_TIME = struct("""
struct kvm_steal_time {
    __u64 steal;
    __u32 version;
    __u32 flags;
    __u8  preempted;
    __u8  u8_pad[3];
    __u32 pad[11];
};
""")

VERSION = KVM_STEAL_TIME.on(Abi.X86_64).offset_of("version")
PREEMPTED = KVM_STEAL_TIME.on(Abi.X86_64).offset_of("preempted")


class StealTime(Feature):
    """struct kvm_steal_time, one per vCPU."""

    name = "steal_time"
    title = "steal time"
    payload = KVM_STEAL_TIME
    size = 64
    align = 64
    update_when = "entry"
    registers = KVM_REGISTERS["steal_time"]
    counters = ("steal",)
    counted = Counted(
        "upper bound",
        "KVM updates at the first entry after the vCPU was loaded onto a CPU, or its register written; an entry after "
        "an exit that KVM handled itself has no update. Bytes of preempted, set when a vCPU is put, are not counted",
        "Linux 6.12 arch/x86/kvm/x86.c, kvm_arch_vcpu_load (KVM_REQ_STEAL_UPDATE), vcpu_enter_guest, "
        "record_steal_time, kvm_steal_time_set_preempted",
    )
    # The host sets preempted when it preempts a vCPU at an instruction boundary, which is not modelled.
    compared = Compared(version="version", free=("steal", "version", "preempted"))
    hidden = Hidden(
        "last count of the run queue (st.last_steal), st.preempted, mapping cache",
        "the count begins anew; the sum lives in guest memory",
        "Linux 6.12 arch/x86/kvm/x86.c, record_steal_time",
    )
    linux_boot = 3
    linux_teardown = 0
    source = "Linux 6.12 arch/x86/include/uapi/asm/kvm_para.h"

    def prepare(self, gpa: int) -> Program:
        """Guest: zero the structure (kvm_register_steal_time)."""
        yield Store(gpa, self.payload())

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: clear ``preempted``, then add the time not scheduled since the last update."""
        if not (yield Store(gpa + PREEMPTED, 0, U8)):
            return
        version = yield from seqlock.begin(gpa + VERSION)
        if version is None:
            return
        steal = yield Load(gpa, U64)
        if steal is None:
            return  # the memory was removed after the version was written
        last = (yield Get(baseline(cpu, self.name))) or 0
        yield Store(gpa, (steal + now.run_delay - last) & 0xFFFF_FFFF_FFFF_FFFF, U64)
        yield Set(baseline(cpu, self.name), now.run_delay)
        yield from seqlock.end(gpa + VERSION, version)

    def read(self, gpa: int) -> Program:
        """Guest: return a consistent structure, or None."""
        return (yield from seqlock.read(gpa, VERSION, KVM_STEAL_TIME.on(Abi.X86_64)))
