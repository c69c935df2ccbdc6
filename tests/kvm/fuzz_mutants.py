"""Hosts that differ from KVM in one thing, for the fuzzer to notice. Each is one small mistake of a simulator."""

from typing import ClassVar

from workbench.core.host_state import register
from workbench.core.kvm_registers import QEMU_ORDER
from workbench.core.relay import relayed
from workbench.core.steps import Get, Set, Store
from workbench.features import choose
from workbench.features.kvmclock import Kvmclock
from workbench.features.steal_time import StealTime
from workbench.protocols.per_feature import PerFeature

CLOCK, STEAL, EOI = 0x4B564D01, 0x4B564D03, 0x4B564D04


class ForKvm(PerFeature):
    """On a real machine KVM is the host of this protocol; a subclass changes the simulator only."""

    native = PerFeature.native

    def __init_subclass__(cls, **arguments):
        cls.native = PerFeature.native
        super().__init_subclass__(**arguments)


class StealTakesReservedBits(ForKvm):
    """Bits 1 to 5 of STEAL_TIME are accepted."""

    def _steal(self, cpu, value, host_initiated):
        return (yield from PerFeature._steal_time(self, cpu, value & ~0x3E, host_initiated))

    _WRITE: ClassVar = {**PerFeature._WRITE, STEAL: _steal}


class InitForgetsPvEoi(ForKvm):
    """INIT does not clear PV_EOI_EN."""

    def on_init(self, cpu):
        kept = yield Get(register(cpu.index, EOI))
        yield from super().on_init(cpu)
        yield Set(register(cpu.index, EOI), kept)


class CrossingDropsTheOldArea(ForKvm):
    """A page-crossing SYSTEM_TIME first drops the area mapped before."""

    def __init__(self, features, mitigations=()):
        super().__init__(features, ["revoke-on-crossing"])


class NamesOfTheirOwn(ForKvm):
    """0x12 and 0x4b564d01 are two registers."""

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        value = yield from super().on_rdmsr(cpu, msr, host_initiated=host_initiated)
        return 0 if msr == 0x12 and type(value) is int else value


class NoWakeAll(ForKvm):
    """Enabling async page faults does not wake the guest's tasks."""

    def _queue_wake_all(self, cpu, enabled):
        return
        yield


class CarriesOnlyWhatIsNotZero(ForKvm):
    """A migration leaves out registers at their default."""

    def save(self, cpus):
        saved = yield from super().save(cpus)
        unsent = {one.msr: None if one.always_sent else one.initial for one in QEMU_ORDER}
        return tuple(entry for entry in saved if entry[2] != unsent[entry[1]])


class HostWritesAreFree(ForKvm):
    """KVM_SET_MSRS is not checked."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        if host_initiated and msr == STEAL:
            yield Set(register(cpu.index, STEAL), value or None)
        return outcome


class StealClearsItsFlags(StealTime):
    """The update writes ``flags``, too."""

    def update(self, cpu, gpa, now):
        yield from super().update(cpu, gpa, now)
        yield Store(gpa + 12, bytes(4))


class ClockLeavesPadding(Kvmclock):
    """The update keeps the guest's bytes in the padding."""

    def update(self, cpu, gpa, now):
        def kept(step):
            return True if type(step) is Store and step.gpa == gpa + 4 else (yield step)

        return (yield from relayed(super().update(cpu, gpa, now), kept))


class ClockComesOnlyOnce(ForKvm):
    """A clock is written only for the first registration of a vCPU."""

    def deliver(self, cpu, feature):
        if feature.name == "kvmclock":
            if (yield Get(register(cpu.index, "seen"))):
                return
            yield Set(register(cpu.index, "seen"), True)
        yield from super().deliver(cpu, feature)


def with_feature(changed):
    """Return KVM's protocol with one feature replaced."""
    return PerFeature([changed if one.name == changed.name else one for one in choose()])


MUTANTS = {
    kind.__name__: (lambda kind=kind: kind(choose()))
    for kind in (
        StealTakesReservedBits, InitForgetsPvEoi, CrossingDropsTheOldArea, NamesOfTheirOwn, NoWakeAll,
        CarriesOnlyWhatIsNotZero, HostWritesAreFree, ClockComesOnlyOnce,
    )
}  # fmt: skip
MUTANTS |= {
    type(one).__name__: (lambda one=one: with_feature(one)) for one in (StealClearsItsFlags(), ClockLeavesPadding())
}
