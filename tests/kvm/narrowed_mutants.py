"""Hosts that differ from KVM only where the fuzzer once compared nothing, with what was left out then."""

from fuzz_mutants import ForKvm

from workbench.core.host_state import area, pending
from workbench.core.kvm_registers import ASYNC_PF_EN
from workbench.core.replay_target import Engine
from workbench.core.steps import USER, AllVcpus, Get, Store
from workbench.engines.simulate.replay_target import SimulatedTarget
from workbench.features.steal_time import VERSION, StealTime
from workbench.protocols.per_feature import REQUESTED

SECOND = 10**9


class WritesWhereAClockOverlaps(ForKvm):
    """An update of steal time writes its last byte if a clock overlaps its first half."""

    before = "both areas, where two overlap"

    def deliver(self, cpu, feature):
        yield from super().deliver(cpu, feature)
        mine = (yield Get(area(cpu.index, "steal_time"))) if feature.name == "steal_time" else None
        clocks = []
        for other in (yield AllVcpus()):
            clocks.append((yield Get(area(other, "kvmclock"))))
        if mine is not None and any(clock is not None and mine - 31 <= clock < mine + 32 for clock in clocks):
            yield Store(mine + 63, b"\x55")


class CountsTwice(StealTime):
    """An update of steal time counts twice."""

    before = "how often a payload is updated"

    def update(self, cpu, gpa, now):
        yield from super().update(cpu, gpa, now)
        yield from super().update(cpu, gpa, now)


class WakesAtOnceForTheVmm(ForKvm):
    """Enabled by the VMM, async page faults wake the guest's tasks before its vCPU enters."""

    before = "tokens, until the vCPU's next entry"

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        if host_initiated and msr == ASYNC_PF_EN.msr and (yield Get(pending(cpu.index, "async_pf"))) == REQUESTED:
            yield from self._wake_all(cpu)
        return outcome


class SharedClockIsNotTold(ForKvm):
    """KVM_SET_CLOCK requests no update of an area that two vCPUs share."""

    before = "requested updates of a clock that several vCPUs have named"

    def on_clock_set(self, cpu):
        mine, shared = (yield Get(area(cpu.index, "kvmclock"))), 0
        for other in (yield AllVcpus()):
            shared += mine is not None and (yield Get(area(other, "kvmclock"))) == mine
        if shared < 2:
            yield from super().on_clock_set(cpu)


class _WritesSteal(SimulatedTarget):
    def _count(self, inside):
        """Let the version of each served area of steal time in a range of gpas count on."""
        memory = self.machine.memory
        for key, gpa in list(self.machine.entries.items()):
            if getattr(key, "kind", "") == "area" and key.name == "steal_time" and gpa in inside:
                held = memory.peek(gpa + VERSION, 4)
                if held is not None:
                    version = int.from_bytes(held, "little") + 2 & 0xFFFF_FFFF
                    memory.poke(gpa + VERSION, version.to_bytes(4, "little"), USER)


class InPlaceWritesAtOnce(_WritesSteal):
    """After a snapshot was written back, steal time is updated at once."""

    before = "areas at the first look after a snapshot was written back"

    def reset_in_place(self):
        super().reset_in_place()
        self._count(range(1 << 20))


class MovedMemoryIsWrittenAtOnce(_WritesSteal):
    """Steal time is updated when its memory gets other pages."""

    before = "updates of the simulator's in memory that was away"

    def move_ram(self, gpa):
        super().move_ram(gpa)
        self._count(range(gpa, self.machine.memory.find(gpa).end))


class MigrationEndsWakeAlls(SimulatedTarget):
    """A vCPU that migrates before its wake-all has arrived is never woken again."""

    before = "all tokens, after the VMM has acted on a vCPU that had requested one"

    def migrate(self, *how):
        waiting = {cpu for cpu in self.machine.cpus if self.machine.entries.get(pending(cpu, "async_pf")) == REQUESTED}
        self.ended = getattr(self, "ended", set()) | waiting
        return super().migrate(*how)

    def wrmsr(self, cpu, msr, value):
        outcome = super().wrmsr(cpu, msr, value)
        if msr == ASYNC_PF_EN.msr and cpu in getattr(self, "ended", ()):
            self.machine.entries.pop(pending(cpu, "async_pf"), None)
        return outcome


class ClockIsLate(SimulatedTarget):
    """A clock that the VMM sets is two minutes ahead."""

    before = "readings within an hour"

    def set_clock(self, ns, realtime):
        super().set_clock(ns + 120 * SECOND, realtime)


class PastIsNow(SimulatedTarget):
    """A clock that is set as of the past does not count what has passed since."""

    before = "clocks that are set as of a past time of day"

    def set_clock(self, ns, realtime):
        super().set_clock(ns, False)


class AlwaysTellsTheTime(SimulatedTarget):
    """KVM_GET_CLOCK tells the time of day without a master clock."""

    before = "whether the time of day comes with a clock"

    def get_clock(self):
        return super().get_clock()._replace(realtime=self.machine.realtime())


FEATURES = (CountsTwice,)
PROTOCOLS = (WritesWhereAClockOverlaps, WakesAtOnceForTheVmm, SharedClockIsNotTold)
TARGETS = {
    kind: Engine("sim", lambda: None, kind)
    for kind in (
        InPlaceWritesAtOnce, MovedMemoryIsWrittenAtOnce, MigrationEndsWakeAlls, ClockIsLate, PastIsNow,
        AlwaysTellsTheTime,
    )
}  # fmt: skip
