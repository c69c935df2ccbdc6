"""The payload structures, in the kernel's own words.

Linux arch/x86/include/asm/pvclock-abi.h and arch/x86/include/uapi/asm/kvm_para.h (6.12). The field lists
are the ABI's; the struct of the watchdog example is this project's, after the mail of January 2011.
"""

from workbench.clayout.layout import struct

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

PVCLOCK_WALL_CLOCK = struct("""
struct pvclock_wall_clock {
    u32   version;
    u32   sec;
    u32   nsec;
} __attribute__((__packed__));
""")

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

KVM_VCPU_PV_APF_DATA = struct("""
struct kvm_vcpu_pv_apf_data {
    __u32 flags;
    __u32 token;
    __u8  pad[56];
};
""")

KVM_PV_EOI = struct("""
struct kvm_pv_eoi {
    __u32 pending;
};
""")

CONTROL_WORD = struct("""
struct control_word {
    __u64 value;
};
""")

WATCHDOG = struct("""
struct watchdog_update {
    __u32 version;
    __u32 pad;
    __u64 last_update_ns;
};
""")
