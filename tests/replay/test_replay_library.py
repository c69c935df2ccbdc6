"""The library of replay files: met by every engine, well formed, and able to detect a host that differs."""

from pathlib import Path
from typing import ClassVar

import pytest

from workbench import replay
from workbench.core.host_state import area
from workbench.core.kvm_registers import KVM_REGISTERS, STEAL_TIME
from workbench.core.relay import relayed
from workbench.core.steps import Set, Store
from workbench.features import choose
from workbench.protocols.per_feature import PerFeature

LIBRARY = sorted(Path(__file__).with_name("library").glob("*.jsonl"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_the_library_is_met(path, engine, protocol_of):
    results = list(replay.play([replay.read(path)], engine, protocol_of))
    passed, failed = replay.totals(results)
    assert failed == 0, replay.as_text(results)
    assert passed


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_each_file_begins_with_what_it_shows_and_names_its_source(path):
    opening = [line for line in path.read_text().split("\n{")[0].splitlines() if line]
    assert all(line.startswith("# ") for line in opening)
    assert any(line.startswith("# Source: ") for line in opening)


def test_every_register_is_written_read_and_set_by_the_host():
    used = {
        (step.op, step.arguments["msr"])
        for path in LIBRARY
        for step in replay.read(path).operations
        if "msr" in step.arguments and step.expect
    }
    registers = {one.msr for several in KVM_REGISTERS.values() for one in several}
    wanted = {(op, msr) for msr in registers for op in ("wrmsr", "rdmsr")}
    wanted |= {("host_set_msr", msr) for msr in registers - {0x11}}
    assert wanted - used == set()


class Changed(PerFeature):
    """A host like KVM, but for one thing. (Else a real KVM would leave its registers to us, KVM_SET_MSRS included.)"""

    native = PerFeature.native

    def __init_subclass__(cls, **arguments):
        cls.native = PerFeature.native
        super().__init_subclass__(**arguments)


class ForgetsNothingAtInit(Changed):
    """INIT clears no register."""

    def on_init(self, cpu):
        return
        yield


class SeparateNames(Changed):
    """0x11 and 0x12 are registers of their own."""

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        if msr in (0x11, 0x12):
            return 0
        return (yield from super().on_rdmsr(cpu, msr, host_initiated=host_initiated))


class WritesNothingForTheHost(Changed):
    """A wall clock set by the host is stored, but its payload is not written."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        def kept(step):
            written = type(step) is Store and host_initiated and msr in (0x11, 0x4B564D00)
            return True if written else (yield step)

        return (yield from relayed(super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated), kept))


class CarriesOneVcpu(Changed):
    """A migration forgets every vCPU but the first."""

    def save(self, cpus):
        return (yield from super().save(cpus[:1]))


class KeepsRefusedSteal(Changed):
    """STEAL_TIME keeps a value that it refuses, as ASYNC_PF_EN does."""

    def _steal(self, cpu, value, host_initiated):
        yield from self._keep(cpu, STEAL_TIME, value)
        return (yield from PerFeature._steal_time(self, cpu, value, host_initiated))

    _WRITE: ClassVar = {**PerFeature._WRITE, 0x4B564D03: _steal}


class PollsNotAfterCreation(Changed):
    """POLL_CONTROL is 0 after creation."""

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        value = yield from super().on_rdmsr(cpu, msr, host_initiated=host_initiated)
        return 0 if msr == 0x4B564D05 else value


class OneAreaAtATime(Changed):
    """Registering the clock drops the area of steal time."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        if msr == 0x4B564D01:
            yield Set(area(cpu.index, "steal_time"), None)
        return outcome


#: A host that differs from KVM, and a file that must detect it.
MUTANTS = [
    (lambda: PerFeature(choose(), ["revoke-on-crossing"]), "system-time-page-crossing"),
    (lambda: PerFeature(choose(), ["commit-after-check"]), "async-pf-refused"),
    (lambda: PerFeature(choose(), ["commit-after-check"]), "migration-after-refusal"),
    (lambda: ForgetsNothingAtInit(choose()), "init"),
    (lambda: SeparateNames(choose()), "aliases"),
    (lambda: WritesNothingForTheHost(choose()), "wall-clock-host"),
    (lambda: WritesNothingForTheHost(choose()), "migration"),
    (lambda: CarriesOneVcpu(choose()), "migration"),
    (lambda: KeepsRefusedSteal(choose()), "steal-time"),
    (lambda: PollsNotAfterCreation(choose()), "poll-control"),
    (lambda: OneAreaAtATime(choose()), "side-by-side"),
    (lambda: PerFeature(choose(["steal_time"])), "system-time"),
    (lambda: PerFeature(choose(["kvmclock"])), "unplug-and-return"),
]


@pytest.mark.parametrize(("protocol", "name"), MUTANTS)
def test_a_host_that_differs_is_noticed(protocol, name):
    (path,) = [path for path in LIBRARY if path.stem == name]
    results = list(replay.play([replay.read(path)], replay.find_engine("sim"), lambda _: protocol()))
    assert replay.totals(results).failed
