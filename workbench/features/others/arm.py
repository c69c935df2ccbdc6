"""The stolen-time structure of Arm's paravirtualized time (DEN0057A)."""

from workbench.clayout.layout import U64, struct
from workbench.core.contracts import Counted, Feature
from workbench.core.host_state import baseline
from workbench.core.steps import Get, Load, Moment, Program, Set, Store

STOLEN = 8  #: offset of the count


class StolenTime(Feature):
    """struct pvclock_vcpu_stolen_time: the host adds to one aligned word, so that no version is needed."""

    name = "stolen_time"
    title = "Arm stolen time"
    payload = struct(
        "struct pvclock_vcpu_stolen_time { __u32 revision; __u32 attributes; __u64 stolen_time; __u8 padding[48]; };"
    )
    size = 64
    align = 64
    update_when = "entry"
    counters = ("stolen_time",)
    counted = Counted(
        "upper bound",
        "KVM updates at the first entry after the vCPU was loaded onto a CPU; an entry after an exit that KVM handled "
        "itself has no update",
        "Linux arch/arm64/kvm/arm.c, kvm_arch_vcpu_load (KVM_REQ_RECORD_STEAL), check_vcpu_requests",
    )
    linux_boot = linux_teardown = 0
    source = "Arm DEN0057A; Linux arch/arm64/include/asm/pvclock-abi.h"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: kvm_update_stolen_time."""
        stolen = yield Load(gpa + STOLEN, U64)
        if stolen is None:
            return
        last = (yield Get(baseline(cpu, self.name))) or 0
        yield Store(gpa + STOLEN, (stolen + now.run_delay - last) & 0xFFFF_FFFF_FFFF_FFFF, U64)
        yield Set(baseline(cpu, self.name), now.run_delay)

    def read(self, gpa: int) -> Program:
        """Guest: one load (para_steal_clock)."""
        return (yield Load(gpa + STOLEN, U64))
