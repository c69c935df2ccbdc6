"""Hosts that differ from KVM in one thing, for the fuzzer to notice. Each is one small mistake of a simulator."""

from typing import ClassVar

from workbench.core.host_state import register
from workbench.core.kvm_registers import QEMU_ORDER
from workbench.core.msr_filter import NO_FILTER
from workbench.core.relay import relayed
from workbench.core.replay_target import Engine
from workbench.core.steps import Backed, Get, Set, Store
from workbench.engines.simulate.replay_target import ENGINE, SimulatedTarget
from workbench.features import choose
from workbench.features.kvmclock import Kvmclock
from workbench.features.steal_time import StealTime
from workbench.protocols.per_feature import PerFeature

CLOCK, STEAL, EOI, POLL, APF_INT = 0x4B564D01, 0x4B564D03, 0x4B564D04, 0x4B564D05, 0x4B564D06


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
    """An update of steal time writes its flags, too."""

    def update(self, cpu, gpa, now):
        yield from super().update(cpu, gpa, now)
        yield Store(gpa + 12, bytes(4))


class ClockLeavesPadding(Kvmclock):
    """An update of kvmclock keeps the guest's bytes in the padding."""

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


class VectorTakesNineBits(ForKvm):
    """ASYNC_PF_INT takes a vector above 255."""

    def _vector(self, cpu, value, host_initiated):
        return (yield from PerFeature._async_pf_int(self, cpu, value & 0xFF, host_initiated))

    _WRITE: ClassVar = {**PerFeature._WRITE, APF_INT: _vector}


class EoiNeedsNoMemory(ForKvm):
    """PV_EOI_EN takes an address without memory."""

    def _eoi(self, cpu, value, host_initiated):
        return (yield from relayed(PerFeature._pv_eoi(self, cpu, value, host_initiated), _backed))

    _WRITE: ClassVar = {**PerFeature._WRITE, EOI: _eoi}


def _backed(step):
    return True if type(step) is Backed else (yield step)


class HiddenReadsItsValue(ForKvm):
    """The host reads the value of a register that CPUID hides."""

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        seen = cpu.but(enforce_cpuid=cpu.enforce_cpuid and not host_initiated)
        return (yield from super().on_rdmsr(seen, msr, host_initiated=host_initiated))


class ClockSetIsNotTold(ForKvm):
    """KVM_SET_CLOCK requests no update."""

    def on_clock_set(self, cpu):
        return
        yield


class FilterLetsReadsPass(SimulatedTarget):
    """A denied register can be read."""

    def rdmsr(self, cpu, msr):
        kept, self._filter = self._filter, NO_FILTER
        reading = super().rdmsr(cpu, msr)
        self._filter = kept
        return reading


class ListGoesOn(SimulatedTarget):
    """KVM_SET_MSRS goes on after a refused entry."""

    def host_set_msrs(self, cpu, entries):
        return sum(super(ListGoesOn, self).host_set_msrs(cpu, (entry,)) for entry in entries)


class ResetKeepsPollControl(SimulatedTarget):
    """The reset of the machine leaves POLL_CONTROL alone, as INIT does."""

    def system_reset(self):
        kept = [self.host_get_msr(cpu, POLL) for cpu in range(self.vcpu_count())]
        super().system_reset()
        for cpu, value in enumerate(kept):
            self.host_set_msr(cpu, POLL, value)


class ReadonlyIsWritable(SimulatedTarget):
    """Memory that became read-only can still be written."""

    def protect_ram(self, gpa, readonly):
        super().protect_ram(gpa, False)


class OtherPagesAreEmpty(SimulatedTarget):
    """A memslot that gets other pages loses its content."""

    def move_ram(self, gpa):
        size = self.machine.memory.find(gpa).size
        self.delete_ram(gpa)
        self.add_ram(gpa, size)


class OrderIsAscending(SimulatedTarget):
    """A migration restores the registers of a VMM's own list in ascending order."""

    def migrate(self, registers=None, *how):
        return super().migrate(registers and sorted(registers), *how)


def with_feature(changed):
    """Return KVM's protocol with one feature replaced."""
    return PerFeature([changed if one.name == changed.name else one for one in choose()])


_PROTOCOLS = (
    StealTakesReservedBits, InitForgetsPvEoi, CrossingDropsTheOldArea, NamesOfTheirOwn, NoWakeAll,
    CarriesOnlyWhatIsNotZero, HostWritesAreFree, ClockComesOnlyOnce, VectorTakesNineBits, EoiNeedsNoMemory,
    HiddenReadsItsValue, ClockSetIsNotTold,
)  # fmt: skip
_FEATURES = (StealClearsItsFlags, ClockLeavesPadding)
_TARGETS = (
    FilterLetsReadsPass, ListGoesOn, ResetKeepsPollControl, ReadonlyIsWritable, OtherPagesAreEmpty, OrderIsAscending,
)  # fmt: skip
MUTANTS = {kind.__name__: (lambda kind=kind: kind(choose())) for kind in _PROTOCOLS}
MUTANTS |= {kind.__name__: (lambda kind=kind: with_feature(kind())) for kind in _FEATURES}
#: Mistakes of what the VMM does, by the simulated machine that makes them.
TARGETS = {kind.__name__: Engine("sim", lambda: None, kind) for kind in _TARGETS}
#: All of them, each with what it does wrong.
MISTAKES = {kind.__name__: kind.__doc__.rstrip(".") for kind in (*_PROTOCOLS, *_FEATURES, *_TARGETS)}


def simulator(name):
    """Return the engine of a mutant and what makes its protocol, given mitigations."""
    if name in TARGETS:
        return TARGETS[name], lambda mitigations: PerFeature(choose(), mitigations)
    return ENGINE, lambda mitigations: MUTANTS[name]()
