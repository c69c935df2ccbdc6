"""The three areas of PAPR's H_REGISTER_VPA: virtual processor area, SLB shadow buffer, dispatch trace log.

Each has its length in its head: 16 bits at offset 4 in the first, 32 bits at offset 4 in the others. Layouts: Linux
arch/powerpc/include/asm/lppaca.h and asm/dtl.h; they are big-endian there, little-endian here.
"""

from workbench.clayout.layout import U16, U32, U64, Abi, struct
from workbench.core.contracts import Counted, Feature
from workbench.core.host_state import baseline
from workbench.core.steps import Get, Load, Moment, Program, Set, Store

LENGTH = 4  #: offset of the length in each area

LPPACA = struct("""
struct lppaca {
    __u32 desc;
    __u16 size;
    __u8  read_only[122];
    __u8  local[128];
    __u32 yield_count;
    __u32 dispersion_count;
    __u8  shared[376];
};
""")
YIELD_COUNT = LPPACA.on(Abi.X86_64).offset_of("yield_count")


class VirtualProcessorArea(Feature):
    """struct lppaca: the host counts dispatches and preemptions in ``yield_count``, even while the vCPU runs."""

    name = "vpa"
    title = "virtual processor area"
    payload = LPPACA
    size = 640
    align = 128
    update_when = "entry"
    counted = Counted(
        "lower bound",
        "KVM counts up at each entry, as here, and at each exit, which no run here does",
        "Linux arch/powerpc/kvm/book3s_hv.c, vcpu_vpa_increment_dispatch (kvmhv_p9_guest_entry)",
    )
    linux_boot, linux_teardown = 0, 2
    source = "Linux arch/powerpc/include/asm/lppaca.h"

    def prepare(self, gpa: int) -> Program:
        """Guest: write the length where the call reads it (init_lppaca)."""
        yield Store(gpa, 0xD397_D781, U32)
        yield Store(gpa + LENGTH, self.size, U16)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: the vCPU is dispatched; the count becomes the next even number."""
        count = yield Load(gpa + YIELD_COUNT, U32)
        if count is not None:
            yield Store(gpa + YIELD_COUNT, ((count | 1) + 1) & 0xFFFF_FFFF, U32)

    def read(self, gpa: int) -> Program:
        """Guest: another CPU looks whether this one runs (yield_count_of)."""
        return (yield Load(gpa + YIELD_COUNT, U32))


class DispatchTraceLog(Feature):
    """A ring of struct dtl_entry, of which the host writes one at each dispatch."""

    name = "dtl"
    title = "dispatch trace log"
    payload = struct("""
struct dtl_entry {
    __u8  dispatch_reason;
    __u8  preempt_reason;
    __u16 processor_id;
    __u32 enqueue_to_dispatch_time;
    __u32 ready_to_enqueue_time;
    __u32 waiting_to_ready_time;
    __u64 timebase;
    __u64 fault_addr;
    __u64 srr0;
    __u64 srr1;
};
""")
    size = 4096
    align = 128
    update_when = "entry"
    counted = Counted(
        "upper bound",
        "KVM writes an entry when it dispatches the vCPU, and an exit that it handles before it returns from there is "
        "followed by none",
        "Linux arch/powerpc/kvm/book3s_hv.c, kvmppc_create_dtl_entry (kvmhv_run_single_vcpu)",
    )
    linux_boot, linux_teardown = 1, 0
    source = "Linux arch/powerpc/include/asm/dtl.h"
    entry = 48  #: bytes

    def prepare(self, gpa: int) -> Program:
        """Guest: write the buffer's length where the call reads it (register_dtl_buffer)."""
        yield Store(gpa + LENGTH, self.size, U32)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: write the next entry of the ring (kvmppc_create_dtl_entry); the index begins anew on each host."""
        index = (yield Get(baseline(cpu, self.name))) or 0
        if (yield Store(gpa + index * self.entry + 40, now.tsc, U64)):
            yield Set(baseline(cpu, self.name), (index + 1) % (self.size // self.entry))


class SlbShadow(Feature):
    """The guest keeps the segment entries that must survive; the host reads them after a machine check."""

    name = "slb_shadow"
    title = "SLB shadow buffer"
    payload = struct("struct slb_shadow { __u32 persistent; __u32 buffer_length; __u64 reserved; __u64 area[14]; };")
    size = 128
    align = 128
    linux_boot, linux_teardown = 2, 1
    source = "Linux arch/powerpc/include/asm/lppaca.h"

    def prepare(self, gpa: int) -> Program:
        """Guest: write the length where the call reads it."""
        yield Store(gpa + LENGTH, self.size, U32)
