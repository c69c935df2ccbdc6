"""per_feature, one test or more per clause: R16 to R18, INIT, what the host writes when, and migration."""

import pytest

from workbench.core.host_state import VM
from workbench.core.kvm_registers import QEMU_ORDER
from workbench.core.outcome import HANDLED
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.protocols import PerFeature

from .bench import bench_of
from .per_feature_registers import (
    CLOCK,
    EOI,
    HOLE,
    LINUX,
    OLD_CLOCK,
    OLD_WALL,
    POLL,
    STEAL,
    WALL,
    register_all,
)


@pytest.fixture
def bench():
    return bench_of(PerFeature)


# -- R16: INIT -------------------------------------------------------------------------------------------


def test_per_feature_R16_init_clears_all_but_wall_clock_and_poll_control(bench):
    register_all(bench)
    bench.wrmsr(POLL, 0)
    bench.init()
    assert {msr: bench.rdmsr(msr) for msr in (*LINUX, POLL)} == dict.fromkeys(LINUX, 0) | {WALL: 0x3100, POLL: 0}
    assert {key.name for key in bench.machine.host_entries("area")} == {"wall_clock"}


def test_per_feature_R16_after_init_nothing_of_the_vcpu_is_written(bench):
    register_all(bench)
    bench.memory.dirty_log(0)
    bench.init()
    bench.enter()
    assert bench.memory.dirty_log(0) == []


def test_per_feature_R16_init_of_one_vcpu_leaves_the_others():
    bench = bench_of(PerFeature, vcpus=2)
    for cpu in (0, 1):
        register_all(bench, cpu)
    bench.init(1)
    assert bench.rdmsr(STEAL, 0) == LINUX[STEAL]
    assert bench.rdmsr(STEAL, 1) == 0


# -- R17: the host's writes ------------------------------------------------------------------------------


def test_per_feature_R17_a_write_by_the_host_registers_and_the_clock_follows_at_the_next_entry(bench):
    assert bench.set_msr(CLOCK, 0x3001) is True
    assert bench.number(0x3000) == 0, "no vCPU runs yet"
    bench.enter()
    assert bench.number(0x3000) == 2
    assert bench.counts["exits"] == 0


def test_per_feature_R17_memory_that_comes_after_the_restore(bench):
    """SET_MSRS before the memslot exists: clock and steal time start later, PV EOI is refused, wall clock is lost."""
    accepted = {msr: bench.set_msr(msr, value) for msr, value in [
        (CLOCK, HOLE | 1), (STEAL, HOLE + 0x40 | 1), (WALL, HOLE + 0x80), (EOI, HOLE + 0xC0 | 1),
    ]}  # fmt: skip
    assert accepted == {CLOCK: True, STEAL: True, WALL: True, EOI: False}
    bench.memory.add(HOLE, 0x1000)
    bench.enter()
    assert bench.number(HOLE) == 2
    assert bench.number(HOLE + 0x48) == 2
    assert bench.memory.load(HOLE + 0x80, 12) == bytes(12)


@pytest.mark.parametrize("change", ["delete", "readonly", "move"])
def test_per_feature_R17_a_slot_that_changes_under_a_registration_is_silent(bench, change):
    bench.memory.add(HOLE, 0x1000)
    bench.wrmsr(STEAL, HOLE | 1)
    bench.enter()
    {
        "delete": lambda: bench.memory.delete(HOLE),
        "readonly": lambda: bench.memory.set_readonly(HOLE, True),
        "move": lambda: bench.memory.move(HOLE, HOLE + 0x10_0000),
    }[change]()
    bench.enter()
    assert bench.rdmsr(STEAL) == HOLE | 1
    if change == "readonly":
        assert bench.number(HOLE + 8) == 2
    if change == "move":
        assert bench.number(HOLE + 0x10_0008) == 2


def test_per_feature_R17_every_write_of_kvm_is_in_the_dirty_log(bench):
    for msr, value, gpa in [(CLOCK, 0x3001, 0x3000), (WALL, 0x4000, 0x4000), (STEAL, 0x5001, 0x5000)]:
        bench.memory.dirty_log(0)
        bench.wrmsr(msr, value)
        bench.enter()
        assert gpa in bench.memory.dirty_log(0)
    assert bench.memory.vmm_dirty() == []


def test_per_feature_R17_two_features_at_one_address_are_accepted_and_overwrite_each_other(bench):
    assert bench.wrmsr(WALL, 0x3000) is HANDLED
    assert bench.wrmsr(CLOCK, 0x3001) is HANDLED
    assert (bench.serves("wall_clock", VM), bench.serves("kvmclock")) == (0x3000, 0x3000)
    assert bench.number(0x3000) == 4


# -- R18: migration --------------------------------------------------------------------------------------


def test_per_feature_R18_a_linux_vcpu_sends_146_bytes(bench):
    register_all(bench)
    state = bench.state()
    assert {entry.name: entry.wire_bytes for entry in state} == {
        "SYSTEM_TIME": 8, "WALL_CLOCK": 8, "ASYNC_PF_INT": 34, "ASYNC_PF_EN": 30, "PV_EOI_EN": 34, "STEAL_TIME": 32,
    }  # fmt: skip
    assert sum(entry.wire_bytes for entry in state) == 16 + 30 + 34 + 34 + 32 == 146
    bench.wrmsr(POLL, 0)
    assert sum(entry.wire_bytes for entry in bench.state()) == 180
    assert {(e.entry_bytes, e.interface, e.architected, e.carried) for e in bench.state()} == {
        (16, "KVM_GET/SET_MSRS", True, True)
    }


def test_per_feature_R18_a_vcpu_that_registered_nothing_sends_the_two_clocks(bench):
    assert [(entry.name, entry.wire_bytes) for entry in bench.state()] == [("SYSTEM_TIME", 8), ("WALL_CLOCK", 8)]


def test_per_feature_R18_clocks_first_and_the_vector_before_the_enable(bench):
    register_all(bench)
    bench.wrmsr(POLL, 0)
    saved = bench.migrate()
    left = LINUX | {POLL: 0, OLD_CLOCK: LINUX[CLOCK], OLD_WALL: LINUX[WALL]}
    assert saved == tuple((0, msr, left[msr]) for msr in [one.msr for one in QEMU_ORDER])
    assert [one.name for one in QEMU_ORDER] == [
        "SYSTEM_TIME", "WALL_CLOCK", "ASYNC_PF_INT", "ASYNC_PF_EN", "PV_EOI_EN", "STEAL_TIME", "POLL_CONTROL",
    ]  # fmt: skip


def test_per_feature_R18_after_migration_every_register_and_area_is_as_before():
    bench = bench_of(PerFeature, vcpus=2)
    for cpu in (0, 1):
        register_all(bench, cpu)
    bench.wrmsr(POLL, 0, 1)
    before = {(cpu, msr): bench.rdmsr(msr, cpu) for cpu in (0, 1) for msr in (*LINUX, POLL)}
    areas = bench.machine.host_entries("area")
    bench.migrate()
    assert {(cpu, msr): bench.rdmsr(msr, cpu) for cpu in (0, 1) for msr in (*LINUX, POLL)} == before
    assert bench.machine.host_entries("area") == areas
    bench.enter(0)
    assert bench.number(0x3000) == 4, "the clock is written anew on the destination"


def test_per_feature_R18_the_destination_writes_the_clock_when_the_vcpu_enters(bench):
    bench.wrmsr(CLOCK, 0x3001)
    bench.migrate()
    assert bench.number(0x3000) == 2, "a write by the host waits"
    bench.enter()
    assert bench.number(0x3000) == 4


def test_per_feature_R18_a_hidden_register_is_carried_as_zero_and_stops_nothing():
    bench = bench_of(PerFeature, cpuid=KVM_SUPPORTED - {6}, enforce_cpuid=True)
    for msr in (CLOCK, STEAL):
        bench.wrmsr(msr, LINUX[msr])
    assert (0, EOI, 0) in bench.migrate()
    assert bench.get_msr(STEAL) == LINUX[STEAL], "it stands behind PV_EOI_EN in QEMU's list"


def test_per_feature_R18_the_wall_clock_is_rewritten_once_for_each_vcpu():
    bench = bench_of(PerFeature, vcpus=3)
    bench.wrmsr(WALL, 0x3000)
    bench.migrate()
    assert bench.number(0x3000) == 2 + 3 * 2


def test_per_feature_R18_an_entry_that_is_refused_stops_that_vcpus_restore_alone():
    bench = bench_of(PerFeature, vcpus=2)
    for cpu in (0, 1):
        register_all(bench, cpu)
    bench.memory.delete(0)
    bench.memory.add(0x4000, 0x1000)  # only the second vCPU's areas
    bench.migrate()
    assert [bench.get_msr(STEAL, cpu) for cpu in (0, 1)] == [0, LINUX[STEAL] + 0x1000]
    assert bench.get_msr(CLOCK, 0) == LINUX[CLOCK], "what came before the refused one is there"
