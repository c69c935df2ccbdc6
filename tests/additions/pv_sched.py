"""A made-up feature, PV scheduling: the host tells how long the vCPU may run, and how urgent it is. Not in KVM.

Rules: the guest zeroes the 16 bytes; the host writes both fields at every entry, under an odd version.
"""


from workbench.design import U32, U64, Abi, Compared, Feature, Moment, Program, Register, Store, seqlock, struct

KVM_PV_SCHED = struct("""
struct kvm_pv_sched {
    __u32 version;
    __u32 urgency;
    __u64 slice_ns;
};
""")


class PvSched(Feature):
    """struct kvm_pv_sched, one per vCPU."""

    name = "pv_sched"
    title = "PV scheduling"
    payload = KVM_PV_SCHED
    size = 16
    align = 64
    update_when = "entry"
    registers = (
        Register("PV_SCHED", 0x4B56_4D30, 18, address=~0x3F & (1 << 64) - 1, enable=1, reserved=0x3E, touches=16),
    )
    compared = Compared(version="version", free=("version", "slice_ns"))
    linux_boot = 6
    linux_teardown = 6
    source = "made up"

    def prepare(self, gpa: int) -> Program:
        """Guest: zero the structure."""
        yield Store(gpa, self.payload())

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: version odd, fields, version even."""
        version = yield from seqlock.begin(gpa)
        if version is None:
            return
        yield Store(gpa + 4, 1, U32)
        yield Store(gpa + 8, now.run_delay, U64)
        yield from seqlock.end(gpa, version)

    def read(self, gpa: int) -> Program:
        """Guest: return a consistent structure, or None."""
        return (yield from seqlock.read(gpa, 0, KVM_PV_SCHED.on(Abi.X86_64)))
