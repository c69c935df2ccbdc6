"""A register whose page the host lays over the guest's: Hyper-V's SynIC message page (TLFS, overlay pages).

R1  A write of gpa | 1 to MSR 0x40000083 puts a page of the host over the guest's page; 0 takes it away, and what lay
    under it is there again.
R2  The page must be RAM; otherwise #GP, and nothing changes.
R3  The VMM reads and writes the register; writing it on the destination lays a new, empty page there.
R4  INIT takes the page away.
R5  A kernel first writes its identity to MSR 0x40000000, on each CPU that comes up; without it R1 is refused.
"""

from workbench.design import (
    ACCEPTED,
    FAULT,
    HANDLED,
    PAGE_SIZE,
    REFUSED,
    U32,
    U64,
    VM,
    Cover,
    Feature,
    Get,
    Load,
    Protocol,
    Set,
    StateEntry,
    Store,
    Uncover,
    Wrmsr,
    area,
    register,
    struct,
)

GUEST_OS_ID, MSR = 0x4000_0000, 0x4000_0083
LINUX = 0x8100 << 48
MESSAGE = struct("struct message { __u32 type; __u32 flags; __u64 payload; };")


class MessagePage(Feature):
    """The message page of one vCPU: the host writes a message where the type is 0; the guest clears the type."""

    name = "message_page"
    title = "synthetic message page"
    payload = MESSAGE
    size = PAGE_SIZE
    align = PAGE_SIZE
    update_when = "event"
    linux_boot, linux_teardown = 0, 0
    source = "Hypervisor Top Level Functional Specification, SIMP"

    def update(self, cpu, gpa, now):
        if (yield Load(gpa, U32)):
            return False
        yield Store(gpa + 8, 7, U64)
        return (yield Store(gpa, 1, U32))

    def read(self, gpa):
        if not (yield Load(gpa, U32)):
            return None
        found = yield Load(gpa + 8, U64)
        yield Store(gpa, 0, U32)
        return found


class OverlayPage(Protocol):
    name = "overlay_page"
    title = "a register and an overlay page"
    msrs = frozenset({GUEST_OS_ID, MSR})

    def supports(self, feature):
        return feature.name == "message_page"

    def prepare(self, cpu):  # R5
        yield Wrmsr(GUEST_OS_ID, LINUX)

    def register(self, cpu, feature, gpa):
        outcome = yield Wrmsr(MSR, gpa | 1)
        return REFUSED if outcome is FAULT else ACCEPTED

    def unregister(self, cpu, feature, gpa):
        yield Wrmsr(MSR, 0)
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if msr == GUEST_OS_ID:
            yield Set(register(VM, GUEST_OS_ID), value or None)
            return HANDLED
        if value and not (yield Get(register(VM, GUEST_OS_ID))):
            return FAULT
        old, gpa = (yield Get(area(cpu.index, "message_page"))), value & -PAGE_SIZE
        if old is not None and not (value & 1 and old == gpa):
            yield Uncover(old)
        if value & 1 and old != gpa and not (yield Cover(gpa)):  # R2
            if old is not None:
                yield Cover(old)
            return FAULT
        yield Set(register(cpu.index, MSR), value or None)
        yield Set(area(cpu.index, "message_page"), gpa if value & 1 else None)
        return HANDLED

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        return (yield Get(register(VM if msr == GUEST_OS_ID else cpu.index, msr))) or 0

    def on_init(self, cpu):  # R4
        old = yield Get(area(cpu.index, "message_page"))
        if old is not None:
            yield Uncover(old)
        yield Set(register(cpu.index, MSR), None)
        yield Set(area(cpu.index, "message_page"), None)

    def save(self, cpus):
        saved = ()
        for owner, msr in ((VM, GUEST_OS_ID), *((cpu.index, MSR) for cpu in cpus)):
            value = yield Get(register(owner, msr))
            if value is not None:
                saved += ((owner, msr, value),)
        return saved

    def restore(self, cpus, saved):  # R3
        for owner, msr, value in saved:
            yield from self.on_wrmsr(cpus[max(owner, 0)], msr, value, host_initiated=True)

    def state(self, entries, cpus):
        return [
            StateEntry(key.cpu, f"MSR {key.name:#x}", 16, 16, "KVM_SET_MSRS", architected=True, carried=True)
            for key in sorted(entries, key=str)
            if key.kind == "register"
        ]
