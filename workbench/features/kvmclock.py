"""kvmclock: the guest's clock, as a scale and an offset to its time stamp counter.

Rules (Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW; arch/x86/kvm/x86.c
kvm_setup_guest_pvclock; arch/x86/include/asm/kvm_para.h):

* The version is odd while the host updates; a reader ignores the payload then, and tries again if the version changed.
* An update keeps GUEST_STOPPED as it finds it, and sets it if the VMM has said that the guest was stopped
  (KVM_KVMCLOCK_CTRL, kvm_set_guest_paused: -EINVAL while no area is mapped). The guest clears it when it has seen it
  (arch/x86/kernel/kvmclock.c, kvm_check_and_clear_guest_paused). The news is lost if the area cannot be reached at
  the next update (since Linux 6.15, 6c4927a4b7b8; before, the next update that arrived brought it).
* An update that finds no memory is spent (kvm_setup_guest_pvclock returns); the next one writes, whatever asked for it:
  a write of the register, KVM_KVMCLOCK_CTRL, KVM_SET_CLOCK, or, after some time, KVM itself.
* TSC_STABLE is set while the VM has a master clock (``Moment.stable``).
* ``flags`` say what the guest may assume; the last 8 bits of the CPUID feature word say which of them are
  valid. If none of those bits is set, all flags are ignored.
"""

from workbench.clayout.layout import U8, Abi, struct
from workbench.core.contracts import Compared, Counted, Feature, Hidden
from workbench.core.host_state import stop_news
from workbench.core.kvm_registers import KVM_REGISTERS
from workbench.core.steps import Get, Load, Moment, Program, Set, Store
from workbench.features import seqlock

PVCLOCK_VCPU_TIME_INFO = struct("""
struct pvclock_vcpu_time_info {
    u32   version;
    u32   pad0;
    u64   tsc_timestamp;
    u64   system_time;
    u32   tsc_to_system_mul;
    s8    tsc_shift;
    u8    flags;
    u8    pad[2];
} __attribute__((__packed__));
""")

PVCLOCK_TSC_STABLE_BIT = 1 << 0
PVCLOCK_GUEST_STOPPED = 1 << 1
FLAGS = PVCLOCK_VCPU_TIME_INFO.on(Abi.X86_64).offset_of("flags")

#: 2 GHz TSC: ns = (tsc << shift) * mul >> 32 with shift 0 and mul 2^31.
TSC_SHIFT = 0
TSC_MUL = 1 << 31


def readable_flags(flags: int, feature_word: int) -> int:
    """Return the flags a guest may read, given EAX of CPUID leaf 0x40000001 (32 bits).

    The header's rule: "The last 8 bits are used to indicate how to interpret the flags field in pvclock
    structure. If no bits are set, all flags are ignored." Bit 24 + n of the word is bit n of the flags.
    """
    return flags & (feature_word >> 24) & 0xFF


class Kvmclock(Feature):
    """struct pvclock_vcpu_time_info, one per vCPU."""

    name = "kvmclock"
    title = "kvmclock"
    payload = PVCLOCK_VCPU_TIME_INFO
    size = 32
    align = 4
    update_when = "request"
    registers = KVM_REGISTERS["kvmclock"]
    stop_flag = ("flags", PVCLOCK_GUEST_STOPPED)
    counted = Counted(
        "lower bound",
        "KVM makes each requested update, and others by itself: when the vCPU is loaded for the first time, or, "
        "without a master clock, onto another CPU; of all clocks 100 ms after that; when the master clock changes; "
        "every 300 s",
        "Linux 6.12 arch/x86/kvm/x86.c, kvm_arch_vcpu_load (KVM_REQ_GLOBAL_CLOCK_UPDATE), kvmclock_update_fn, "
        "kvm_update_masterclock, kvmclock_sync_fn",
    )
    one_mapping = True  # virt/kvm/pfncache.c maps one page; CVE-2013-1796 wrote behind it
    compared = Compared(
        version="version",
        free=("version", "tsc_timestamp", "system_time", "tsc_to_system_mul", "tsc_shift"),
        rewritten=("pad0", "flags", "pad"),  # flags: equal where there is a master clock (fuzz exclusions)
    )
    hidden = Hidden(
        "clock offset and master clock of the VM, boot_vcpu_runs_old_kvmclock (lost), pending guest-stopped flag",
        "KVM_SET_CLOCK and a device section of the VMM",
        "Linux 6.12 arch/x86/kvm/x86.c, kvm_write_system_time, kvm_vm_ioctl_set_clock",
    )
    linux_boot = 0
    linux_teardown = 5
    source = "Linux 6.12 arch/x86/include/asm/pvclock-abi.h"

    def prepare(self, gpa: int) -> Program:
        """Guest: zero the structure, as the kernel's static array is."""
        yield Store(gpa, self.payload())

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: version odd, fields, version even."""
        news = yield Get(stop_news(cpu, self.name))
        if news:
            yield Set(stop_news(cpu, self.name), None)
        version = yield from seqlock.begin(gpa)
        if version is None:
            return
        found = (yield Load(gpa + FLAGS, U8)) or 0
        fields = PVCLOCK_VCPU_TIME_INFO(
            version=version,
            tsc_timestamp=now.tsc,
            system_time=now.ns,
            tsc_to_system_mul=TSC_MUL,
            tsc_shift=TSC_SHIFT,
            flags=(PVCLOCK_TSC_STABLE_BIT if now.stable else 0)
            | (PVCLOCK_GUEST_STOPPED if news else found & PVCLOCK_GUEST_STOPPED),
        )
        # Separate stores, because another vCPU may read between them; the version tells it to try again.
        data = fields.pack()
        yield Store(gpa + 4, data[4:16])  # the kernel copies the whole structure, padding included
        yield Store(gpa + 16, data[16:])
        yield from seqlock.end(gpa, version)

    def read(self, gpa: int) -> Program:
        """Guest: return a consistent structure, or None."""
        return (yield from seqlock.read(gpa, 0, PVCLOCK_VCPU_TIME_INFO.on(Abi.X86_64)))


def nanoseconds(info: object, tsc: int) -> int:
    """Return the guest's clock in ns for a consistent structure and a TSC reading (pvclock.h)."""
    delta = tsc - info.tsc_timestamp  # type: ignore[attr-defined]
    shift = info.tsc_shift  # type: ignore[attr-defined]
    delta = delta << shift if shift >= 0 else delta >> -shift
    return int(info.system_time + (delta * info.tsc_to_system_mul >> 32))  # type: ignore[attr-defined]
