"""generic, one test or more per clause: R15, what a migration loses, and what carries it."""

import pytest

from workbench.core.host_state import VM
from workbench.core.memory import GPA_LIMIT
from workbench.core.outcome import FAULT
from workbench.engines.simulate.by_hand import RAM_END, SCRATCH
from workbench.protocols import Generic
from workbench.protocols.generic import (
    TYPES,
)

from .bench import bench_of
from .generic_calls import (
    HOLE,
    MSR,
    UNKNOWN_TYPE,
    call,
)


@pytest.fixture
def bench():
    return bench_of(Generic)


# -- R15: migration --------------------------------------------------------------------------------------


def test_generic_R15_nothing_reads_the_registry(bench):
    bench.register("steal_time", 0x3000)
    assert bench.rdmsr(MSR) is FAULT
    assert bench.get_msr(MSR) is None
    assert bench.set_msr(MSR, SCRATCH) is False


def test_generic_R15_a_migration_loses_it_and_the_areas_freeze(bench):
    bench.register("steal_time", 0x3000)
    bench.enter()
    assert bench.migrate() == ()
    bench.enter()
    assert bench.number(0x3008) == 2
    assert bench.machine.host_entries("area") == {}


def test_generic_R15_mitigation_carry_registry():
    """Mitigation carry-registry: a new ioctl reads and writes the registry, and a migration carries it."""
    bench = bench_of(Generic, mitigations=("carry-registry",), vcpus=2)
    for cpu in (0, 1):
        bench.register("steal_time", 0x3000 + 0x1000 * cpu, cpu)
    bench.register("watchdog", 0x5000)
    call(bench, 0x6000, 8, UNKNOWN_TYPE, cpu=1)
    before = bench.machine.host_entries("registry"), bench.machine.host_entries("area")
    saved = bench.migrate()
    assert set(saved) == {
        (0, TYPES["steal_time"], 0x3000, 64), (1, TYPES["steal_time"], 0x4000, 64),
        (VM, TYPES["watchdog"], 0x5000, 16), (1, UNKNOWN_TYPE, 0x6000, 8),
    }  # fmt: skip
    assert (bench.machine.host_entries("registry"), bench.machine.host_entries("area")) == before


@pytest.mark.parametrize(("mitigations", "writes"), [((), True), (("quiet-restore",), False)])
def test_generic_R15_mitigation_quiet_restore(mitigations, writes):
    """Mitigation quiet-restore: the areas are restored, and no payload is written before the next entry."""
    bench = bench_of(Generic, mitigations=("carry-registry", *mitigations))
    for name, gpa in (("kvmclock", 0x3000), ("wall_clock", 0x4000)):
        bench.register(name, gpa)
    before = bench.counts["host_stores"]
    bench.migrate()
    assert (bench.serves("kvmclock"), bench.serves("wall_clock", VM)) == (0x3000, 0x4000)
    assert (bench.counts["host_stores"] > before) is writes


def test_generic_R15_after_a_quiet_restore_the_next_entry_writes_the_clock_once():
    bench = bench_of(Generic, mitigations=("carry-registry", "quiet-restore"))
    bench.register("kvmclock", 0x3000)
    bench.memory.store(0x3000, bytes(32))
    bench.migrate()
    assert not any(bench.memory.load(0x3000, 32))
    bench.enter()
    assert bench.number(0x3000) == 2, "the version of a structure written once"
    bench.enter()
    assert bench.number(0x3000) == 2


@pytest.mark.parametrize(("mitigations", "served"), [((), HOLE), (("validate-restore",), None)])
def test_generic_R15_a_carried_area_without_memory_on_the_destination(mitigations, served):
    """The area is restored unchecked, and written once memory appears; mitigation validate-restore leaves it out."""
    bench = bench_of(Generic, mitigations=("carry-registry", *mitigations))
    bench.memory.add(HOLE, 0x1000)
    bench.register("steal_time", HOLE)
    bench.register("kvmclock", 0x3000)
    bench.memory.delete(HOLE)
    bench.migrate()
    assert (bench.serves("steal_time"), bench.serves("kvmclock")) == (served, 0x3000)
    bench.memory.add(HOLE, 0x1000)
    bench.enter()
    assert any(bench.memory.load(HOLE, 64)) is (served is not None)


@pytest.mark.parametrize(
    ("base", "size", "good"),
    [
        (RAM_END - 64, 64, True),
        (HOLE, 64, False),
        (RAM_END - 32, 64, False),
        (GPA_LIMIT - 32, 64, False),
        (0x3000, 63, False),
    ],
)
def test_generic_R15_mitigation_validate_restore_takes_what_the_call_takes(base, size, good):
    """Mitigation validate-restore: the same descriptor is served after a restore if and only if the call serves it."""
    for mitigations in ((), ("validate-restore",)):
        called, restored = (bench_of(Generic, mitigations=("carry-registry", *mitigations)) for _ in range(2))
        call(called, base, size, TYPES["steal_time"])
        cpus = tuple(restored.machine.cpus.values())
        restored.host(restored.protocol.restore(cpus, ((0, TYPES["steal_time"], base, size),)))
        assert (called.serves("steal_time") == base) is good
        agree = called.machine.host_entries("area") == restored.machine.host_entries("area")
        assert agree is (good or "validate-restore" in mitigations)


@pytest.mark.parametrize(
    ("mitigations", "interface", "carried"), [((), "none", False), (("carry-registry",), "new ioctl", True)]
)
def test_generic_R15_the_state_is_16_bytes_for_each_area_and_a_count(mitigations, interface, carried):
    bench = bench_of(Generic, mitigations=mitigations)
    bench.register("steal_time", 0x3000)
    bench.register("wall_clock", 0x4000)
    call(bench, 0x5000, 8, UNKNOWN_TYPE)
    state = bench.state()
    assert sorted((entry.cpu, entry.name, entry.entry_bytes) for entry in state) == [
        (VM, "area wall_clock", 16), (VM, "number of areas", 4),
        (0, "area of type 0x1234", 16), (0, "area steal_time", 16), (0, "number of areas", 4),
    ]  # fmt: skip
    assert {(entry.interface, entry.architected, entry.carried) for entry in state} == {(interface, False, carried)}
