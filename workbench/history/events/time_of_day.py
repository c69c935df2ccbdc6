"""The host's time of day is set (by NTP, say), and the guest looks at its wall clock again.

Source: OSv issue 1015; Linux Documentation/virt/kvm/x86/msr.rst: the wall clock is only guaranteed to be written when
the guest writes the register, so that a guest that wants it again has to write again.
"""

from dataclasses import dataclass

from workbench.clayout.layout import U32
from workbench.core.driver import host_side
from workbench.core.event_steps import HostCall, OnHost, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Get, Load, Moment, Note, Program, Set, Store
from workbench.core.vcpu import Vcpu
from workbench.features import seqlock
from workbench.features.wall_clock import WallClock
from workbench.history.properties import READ_TIME, time_of_day
from workbench.lifecycle.event import AfterBoot, of_its_own
from workbench.lifecycle.linux import LinuxKernel

SEC = 4  #: offset of the seconds in struct pvclock_wall_clock
BEFORE, AFTER = 1_000, 2_000  #: the time of day, s


class SettableWallClock(WallClock):
    """The wall clock with a time of day that the host's administrator can set."""

    name = "wall_clock"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        version = yield from seqlock.begin(gpa)
        if version is not None:
            yield Store(gpa + SEC, (yield Get(time_of_day())) or BEFORE, U32)
            yield from seqlock.end(gpa, version)


@dataclass(frozen=True)
class TimeKeeper(LinuxKernel):
    """A kernel that wants to know the time of day; ``asks``: it writes the register first, as Linux does."""

    asks: bool = True

    def look(self, cpu: Vcpu) -> Program:
        """Guest: read the seconds, and note them."""
        for feature in self.scenario.supported():
            if self.asks:
                yield from self.scenario.enrol(self.here(cpu), feature, self.generation)
            addresses = self.scenario.addresses
            gpa = addresses.gpa(addresses.area(self.generation, cpu.index, feature))
            yield Note(READ_TIME, (yield Load(gpa + SEC, U32)))


def sets_time(seconds: int) -> Program:
    """Host: the time of day is set; its steps are marked as the host's."""
    return host_side(_sets(seconds))


def _sets(seconds: int) -> Program:
    yield Set(time_of_day(), seconds)


class TimeOfDaySet(AfterBoot):
    """The host's time of day is set while the guest runs, and then the guest looks; ``asks``: see TimeKeeper."""

    name = "time-of-day-set"
    title = "host's time set, guest looks again"

    def __init__(self, asks: bool) -> None:
        self.asks = asks

    def happen(self, scenario: Scenario) -> Program:
        yield Wait(0)
        yield OnHost(0, HostCall(sets_time, (AFTER,)))
        yield from of_its_own(0, TimeKeeper(scenario, asks=self.asks).look)
