"""The three areas of a Xen vCPU: event channels, run states, a second copy of the clock.

Layouts: xen include/public/xen.h (vcpu_info, vcpu_time_info) and vcpu.h (vcpu_runstate_info), for 64-bit guests.
"""

from workbench.clayout.layout import U8, U32, U64, Abi, struct
from workbench.core.contracts import Counted, Feature
from workbench.core.host_state import baseline
from workbench.core.steps import Get, Load, Moment, Program, Set, Store
from workbench.features.kvmclock import Kvmclock

RUNSTATE = struct("struct vcpu_runstate_info { __s32 state; __u64 state_entry_time; __u64 time[4]; };")
ENTRY_TIME = RUNSTATE.on(Abi.X86_64).offset_of("state_entry_time")
RUNNABLE = RUNSTATE.on(Abi.X86_64).offset_of("time") + 8
UPDATING = 0x80  #: XEN_RUNSTATE_UPDATE, in the highest byte of state_entry_time


class VcpuInfo(Feature):
    """struct vcpu_info: the host marks an event as pending; the guest clears the mark when it has taken it."""

    name = "vcpu_info"
    title = "Xen vcpu_info"
    payload = struct("""
struct vcpu_info {
    __u8  evtchn_upcall_pending;
    __u8  evtchn_upcall_mask;
    __u64 evtchn_pending_sel;
    __u64 arch[2];
    __u8  time[32];
};
""")
    size = 64
    align = 8
    update_when = "event"
    counted = Counted(
        "upper bound", "an event that is still pending is not marked again", "xen arch/x86, vcpu_mark_events_pending"
    )
    linux_boot = 0
    linux_teardown = 2
    source = "xen include/public/xen.h"

    def prepare(self, gpa: int) -> Program:
        yield Store(gpa, 0, U8)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: an event is pending (vcpu_mark_events_pending)."""
        yield Store(gpa, 1, U8)

    def read(self, gpa: int) -> Program:
        """Guest: take the events; None if there are none."""
        if not (yield Load(gpa, U8)):
            return None
        yield Store(gpa, 0, U8)
        return 1


class Runstate(Feature):
    """struct vcpu_runstate_info: how long the vCPU has been in each state; a bit says that it is being written."""

    name = "runstate"
    title = "Xen runstate"
    payload = RUNSTATE
    size = 48
    align = 8
    update_when = "entry"
    counted = Counted(
        "no bound",
        "Xen writes at a context switch, for the vCPU that leaves and for the one that comes, and at no other entry",
        "xen arch/x86/domain.c and arch/arm/domain.c, update_runstate_area",
    )
    linux_boot = 1
    linux_teardown = 1
    source = "xen include/public/vcpu.h"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: update_runstate_area, which always sets the flag where the area is named by physical address."""
        if not (yield Store(gpa + ENTRY_TIME + 7, UPDATING, U8)):
            return
        waited = yield Load(gpa + RUNNABLE, U64)
        last = (yield Get(baseline(cpu, self.name))) or 0
        yield Store(gpa + RUNNABLE, ((waited or 0) + now.run_delay - last) & 0xFFFF_FFFF_FFFF_FFFF, U64)
        yield Set(baseline(cpu, self.name), now.run_delay)
        yield Store(gpa + ENTRY_TIME, now.ns & 0xFFFF_FFFF, U32)
        yield Store(gpa + ENTRY_TIME + 7, 0, U8)

    def read(self, gpa: int) -> Program:
        """Guest: return the time that it could have run, or None while the host writes (xen_get_runstate_snapshot)."""
        if (yield Load(gpa + ENTRY_TIME + 7, U8)) & UPDATING:
            return None
        return (yield Load(gpa + RUNNABLE, U64))


CLOCK = Kvmclock()


class VcpuTime(Feature):
    """struct vcpu_time_info, of which a vDSO can map a page: the layout and the version rule of kvmclock."""

    name = "vcpu_time"
    title = "Xen secondary time"
    payload = CLOCK.payload
    size = CLOCK.size
    align = 8
    update_when = "entry"
    counted = Counted(
        "no bound",
        "Xen writes at a context switch and after each calibration of its clock, and at no other entry",
        "xen arch/x86/time.c, update_vcpu_system_time, update_secondary_system_time",
    )
    linux_boot = 2
    linux_teardown = 0
    source = "xen include/public/xen.h"

    def prepare(self, gpa: int) -> Program:
        return CLOCK.prepare(gpa)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: update_secondary_system_time."""
        yield from CLOCK.update(cpu, gpa, now)  # an update of this feature, not of that

    def read(self, gpa: int) -> Program:
        return CLOCK.read(gpa)
