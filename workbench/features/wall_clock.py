"""Wall clock: the time of day at which the guest's clock was zero.

The host writes it immediately, once for each registration (Linux arch/x86/kvm/x86.c,
kvm_write_wall_clock, by kvm_write_guest of virt/kvm/kvm_main.c; Documentation/virt/kvm/x86/msr.rst,
MSR_KVM_WALL_CLOCK_NEW). One area for the VM.
"""

from workbench.clayout.layout import Abi, struct
from workbench.core.contracts import Compared, Counted, Feature, Hidden
from workbench.core.kvm_registers import KVM_REGISTERS
from workbench.core.machine import EPOCH_NS
from workbench.core.memory import PAGE_SIZE
from workbench.core.steps import Moment, Program, Store
from workbench.features import seqlock

PVCLOCK_WALL_CLOCK = struct("""
struct pvclock_wall_clock {
    u32   version;
    u32   sec;
    u32   nsec;
} __attribute__((__packed__));
""")

__all__ = ["EPOCH_NS", "WallClock"]


class WallClock(Feature):
    """struct pvclock_wall_clock, one per VM."""

    name = "wall_clock"
    title = "wall clock"
    payload = PVCLOCK_WALL_CLOCK
    size = 12
    align = 4
    scope = "vm"
    update_when = "registration"
    counted = Counted(
        "exact",
        "KVM writes once for each value other than 0 that is written to the register, by the guest or the host",
        "Linux 6.12 arch/x86/kvm/x86.c, kvm_set_msr_common, kvm_write_wall_clock",
    )
    registers = KVM_REGISTERS["wall_clock"]
    compared = Compared(version="version", free=("version", "sec", "nsec"))
    hidden = Hidden(
        "none (one value of the VM, sent for each vCPU)",
        "written again",
        "Linux 6.12 arch/x86/kvm/x86.c, kvm_write_wall_clock",
    )
    linux_boot = 4
    source = "Linux 6.12 arch/x86/include/asm/pvclock-abi.h"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: version odd, seconds and nanoseconds of the guest's boot, version even."""
        version = yield from seqlock.begin(gpa)
        if version is None:
            return
        seconds, nanoseconds = divmod(EPOCH_NS - now.ns, 1_000_000_000)
        data = self.payload(version=version, sec=seconds & 0xFFFF_FFFF, nsec=nanoseconds).pack()
        here = min(-(gpa + 4) % PAGE_SIZE or PAGE_SIZE, len(data) - 4)
        # kvm_write_guest writes page by page: the first part is written even if the next page is not in a memslot.
        if (yield Store(gpa + 4, data[4 : 4 + here])) and here < len(data) - 4:
            yield Store(gpa + 4 + here, data[4 + here :])
        yield from seqlock.end(gpa, version)

    def read(self, gpa: int) -> Program:
        """Guest: return a consistent structure, or None."""
        return (yield from seqlock.read(gpa, 0, PVCLOCK_WALL_CLOCK.on(Abi.X86_64)))
