"""per_feature, one test or more per clause: what Linux KVM does besides accepting or refusing a value."""

import pytest

from workbench.core.host_state import VM, area, old_clock, register
from workbench.core.kvm_registers import KVM_REGISTERS
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED
from workbench.core.steps import Set, Wrmsr
from workbench.core.vcpu import KVM_SUPPORTED, Host
from workbench.engines.simulate.by_hand import RAM_END
from workbench.features import FEATURES, choose
from workbench.protocols import PerFeature

from .bench import bench_of
from .per_feature_registers import (
    APF_EN,
    APF_INT,
    CLOCK,
    EOI,
    HOLE,
    LINUX,
    MIGRATION,
    OLD_CLOCK,
    OLD_WALL,
    POLL,
    STEAL,
    WALL,
    register_all,
    yields_of,
)


@pytest.fixture
def bench():
    return bench_of(PerFeature)


# -- R1, R2: registers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "writes"),
    [
        ("kvmclock", [(CLOCK, 0x3001)]),
        ("wall_clock", [(WALL, 0x3000)]),
        ("async_pf", [(APF_INT, 0xF3), (APF_EN, 0x300D)]),
        ("pv_eoi", [(EOI, 0x3001)]),
        ("steal_time", [(STEAL, 0x3001)]),
        ("poll_control", [(POLL, 0)]),
        ("migration_control", [(MIGRATION, 1)]),
    ],
)
def test_per_feature_R1_address_and_control_bits_are_one_value_and_one_exit(bench, name, writes):
    steps, answer = yields_of(bench.protocol.register(bench.machine.cpus[0], FEATURES[name], 0x3000))
    assert steps == [Wrmsr(msr, value) for msr, value in writes]
    assert answer is ACCEPTED


def test_per_feature_R1_one_exit_registers_and_no_guest_memory_is_touched_for_it(bench):
    bench.register("steal_time", 0x3000)
    assert (bench.counts["wrmsr_exits"], bench.counts["exits"], bench.counts["guest_stores"]) == (1, 1, 0)
    assert bench.serves("steal_time") == 0x3000


def test_per_feature_R1_async_pf_by_vmexit_only_where_it_is_offered():
    bench = bench_of(PerFeature, cpuid=KVM_SUPPORTED - {10})
    steps, _ = yields_of(bench.protocol.register(bench.machine.cpus[0], FEATURES["async_pf"], 0x3000))
    assert steps[-1] == Wrmsr(APF_EN, 0x3009)


def test_per_feature_R1_what_no_register_was_assigned_to_cannot_be_expressed(bench):
    assert [f.name for f in choose() if not bench.protocol.supports(f)] == ["watchdog"]


@pytest.mark.parametrize(("old", "new"), [(OLD_WALL, WALL), (OLD_CLOCK, CLOCK)])
def test_per_feature_R2_two_names_access_one_value(bench, old, new):
    for written, read, value in [(old, new, 0x3001), (new, old, 0x3101), (old, old, 0)]:
        assert bench.wrmsr(written, value) is HANDLED
        assert bench.rdmsr(read) == bench.get_msr(read) == value
        assert bench.set_msr(written, value) is True
        assert bench.get_msr(read) == value


def test_per_feature_R2_the_old_name_registers_as_well(bench):
    bench.wrmsr(OLD_CLOCK, 0x3001)
    assert bench.number(0x3000) == 2
    bench.wrmsr(CLOCK, 0)
    assert bench.serves("kvmclock") is None


@pytest.mark.parametrize("msr", sorted(LINUX))
def test_per_feature_R1_a_register_is_kvms_whether_or_not_the_feature_is_looked_at(msr):
    bench = bench_of(PerFeature, features=["watchdog"])
    for value in (LINUX[msr], 0):
        assert bench.wrmsr(msr, value) is HANDLED
        bench.enter()
        assert bench.rdmsr(msr) == value
    assert bench.memory.dirty_log(0) == [], "its payload is nobody's business here"


# -- R3: wall clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "left"), [(0, 2), (6, 8), (1, 4), (7, 10), (0xFFFF_FFFE, 0), (0xFFFF_FFFF, 2)])
@pytest.mark.parametrize("initiator", ["guest", "host"])
def test_per_feature_R3_written_at_once_version_plus_2_or_3(bench, initiator, found, left):
    bench.memory.store(0x3000, found.to_bytes(4, "little"))
    (bench.wrmsr if initiator == "guest" else bench.set_msr)(WALL, 0x3000)
    assert bench.number(0x3000) == left
    assert bench.number(0x3004) > 0


def test_per_feature_R3_once_for_each_write_and_not_at_entries(bench):
    bench.wrmsr(WALL, 0x3000)
    bench.enter()
    assert bench.number(0x3000) == 2
    bench.wrmsr(WALL, 0x3000)
    assert bench.number(0x3000) == 4


def test_per_feature_R3_zero_writes_nothing(bench):
    bench.wrmsr(WALL, 0x3000)
    bench.wrmsr(WALL, 0)
    assert bench.number(0x3000) == 2
    assert bench.serves("wall_clock", VM) is None
    assert bench.memory.load(0, 12) == bytes(12)


def test_per_feature_R3_one_register_for_all_vcpus():
    bench = bench_of(PerFeature, vcpus=2)
    bench.wrmsr(WALL, 0x3000, cpu=0)
    assert bench.rdmsr(WALL, cpu=1) == 0x3000


def test_per_feature_R3_memory_that_comes_later_is_not_written(bench):
    bench.wrmsr(WALL, HOLE)
    bench.memory.add(HOLE, 0x1000)
    bench.enter()
    assert bench.memory.load(HOLE, 12) == bytes(12)


# -- R4, R5: system time ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "left"), [(0, 2), (1, 4)])
def test_per_feature_R4_a_guests_write_is_served_before_its_next_instruction(bench, found, left):
    bench.memory.store(0x3000, found.to_bytes(4, "little"))
    bench.wrmsr(CLOCK, 0x3001)
    assert bench.number(0x3000) == left
    assert bench.number(0x3010, 8) > 0
    bench.enter()
    assert bench.number(0x3000) == left, "nothing is due"


def test_per_feature_R4_bit_0_clear_ends_it(bench):
    bench.wrmsr(CLOCK, 0x3001)
    bench.wrmsr(CLOCK, 0x3000)
    bench.enter()
    assert bench.serves("kvmclock") is None
    assert bench.number(0x3000) == 2
    assert bench.rdmsr(CLOCK) == 0x3000


def test_per_feature_R4_an_area_in_no_slot_is_written_with_the_next_update_after_memory_appears(bench):
    bench.wrmsr(CLOCK, HOLE | 1)
    bench.enter()
    bench.memory.add(HOLE, 0x1000)
    bench.enter()
    assert bench.memory.load(HOLE, 32) == bytes(32), "the update that was asked for is spent"
    bench.wrmsr(CLOCK, HOLE | 1)
    assert bench.number(HOLE) == 2


def _flags(bench, *areas):
    return [bench.memory.load(gpa + 29, 1)[0] for gpa in areas]


def test_per_feature_R4_the_old_number_ends_the_master_clock_for_all():
    bench = bench_of(PerFeature, vcpus=2)
    bench.wrmsr(CLOCK, 0x3001)
    bench.wrmsr(OLD_CLOCK, 0x4001, 1)
    assert bench.set_msr(OLD_CLOCK, 0x3001) is True
    bench.enter()
    assert _flags(bench, 0x3000, 0x4000) == [1, 1], "written by another vCPU, or by the host"
    bench.wrmsr(OLD_CLOCK, 0)
    bench.enter(1)
    assert _flags(bench, 0x4000) == [0]
    bench.wrmsr(CLOCK, 0x3001)
    bench.enter(1)
    assert _flags(bench, 0x3000, 0x4000) == [1, 1]


def test_per_feature_R4_another_host_does_not_know_of_the_old_number():
    bench = bench_of(PerFeature)
    bench.wrmsr(OLD_CLOCK, 0x3001)
    bench.init()
    assert bench.machine.entries[old_clock()] is True
    bench.migrate()
    assert old_clock() not in bench.machine.entries


def test_per_feature_R5_a_page_crossing_address_leaves_the_old_area_live(bench):
    bench.wrmsr(CLOCK, 0x3001)
    bench.wrmsr(CLOCK, 0x4FF1)
    assert bench.rdmsr(CLOCK) == 0x4FF1
    assert bench.number(0x3000) == 4, "the request was served where the host still looks"
    assert bench.memory.load(0x4FF0, 32) == bytes(32)
    bench.wrmsr(CLOCK, 0)
    bench.enter()
    assert bench.serves("kvmclock") is None
    assert bench.number(0x3000) == 4


@pytest.mark.parametrize(("mitigations", "live"), [((), 0x3000), (("revoke-on-crossing",), None)])
def test_per_feature_R5_mitigation_revoke_on_crossing(mitigations, live):
    """Mitigation revoke-on-crossing: a SYSTEM_TIME area that crosses a page unmaps the previous area."""
    bench = bench_of(PerFeature, mitigations=mitigations)
    bench.wrmsr(CLOCK, 0x3001)
    assert bench.wrmsr(CLOCK, 0x4FF1) is HANDLED
    assert bench.serves("kvmclock") == live
    bench.wrmsr(CLOCK, 0x5001)
    assert bench.serves("kvmclock") == 0x5000


# -- R6: steal time --------------------------------------------------------------------------------------


def test_per_feature_R6_written_at_every_entry_wherever_memory_is_then(bench):
    bench.wrmsr(STEAL, HOLE | 1)
    bench.enter()
    bench.memory.add(HOLE, 0x1000)
    bench.enter()
    bench.enter()
    assert bench.number(HOLE + 8) == 4
    bench.memory.delete(HOLE)
    bench.enter()
    bench.memory.add(HOLE, 0x1000)
    bench.enter()
    assert bench.number(HOLE + 8) == 2, "it goes on by itself when the slot is there again"
    assert bench.rdmsr(STEAL) == HOLE | 1


def test_per_feature_R6_a_refused_value_changes_nothing(bench):
    bench.wrmsr(STEAL, 0x3001)
    assert bench.wrmsr(STEAL, 0x5021) is FAULT
    assert bench.rdmsr(STEAL) == 0x3001
    assert bench.serves("steal_time") == 0x3000


# -- R7: PV EOI ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [HOLE | 1, 0x5003])
def test_per_feature_R7_refused_keeps_the_previous_value(bench, value):
    bench.wrmsr(EOI, 0x3001)
    assert bench.wrmsr(EOI, value) is FAULT
    assert bench.rdmsr(EOI) == bench.get_msr(EOI) == 0x3001
    assert bench.serves("pv_eoi") == (None if value == HOLE | 1 else 0x3000)


def test_per_feature_R7_R22_the_old_area_comes_back_when_memslots_change(bench):
    bench.wrmsr(EOI, 0x3001)
    assert bench.wrmsr(EOI, HOLE | 1) is bench.wrmsr(EOI, HOLE | 5) is FAULT
    bench.memory.add(2 * HOLE, 0x1000)
    assert bench.serves("pv_eoi") == 0x3000


@pytest.mark.parametrize("after", ["disabled", "registered again", "INIT", "migration"])
def test_per_feature_R7_R22_what_replaces_the_old_area_keeps_it_from_coming_back(bench, after):
    bench.wrmsr(EOI, 0x3001)
    bench.wrmsr(EOI, HOLE | 1)
    if after == "registered again":
        bench.wrmsr(EOI, 0x4001)
    elif after == "migration":
        bench.migrate()
    else:
        bench.init() if after == "INIT" else bench.wrmsr(EOI, 0)
    bench.memory.add(2 * HOLE, 0x1000)
    assert bench.serves("pv_eoi") == {"registered again": 0x4000, "migration": 0x3000}.get(after)


def test_per_feature_R7_disabled_needs_no_memory(bench):
    bench.wrmsr(EOI, 0x3001)
    assert bench.wrmsr(EOI, HOLE) is HANDLED
    assert bench.serves("pv_eoi") is None


def test_per_feature_R7_works_without_a_lapic_in_the_kernel():
    bench = bench_of(PerFeature, host=Host(irqchip=False))
    assert bench.wrmsr(EOI, 0x3001) is HANDLED
    assert bench.serves("pv_eoi") == 0x3000


# -- R13, R14 --------------------------------------------------------------------------------------------


def test_per_feature_R13_poll_control_is_1_after_creation(bench):
    assert bench.rdmsr(POLL) == bench.get_msr(POLL) == 1
    bench.wrmsr(POLL, 0)
    assert bench.rdmsr(POLL) == 0
    assert bench.wrmsr(POLL, 2) is FAULT
    assert bench.rdmsr(POLL) == 0
    bench.wrmsr(POLL, 1)
    assert bench.rdmsr(POLL) == 1


def test_per_feature_R14_migration_control_is_the_vmms_if_it_asked_for_it():
    bench = bench_of(PerFeature, host=Host(user_msrs=frozenset({MIGRATION})))
    assert bench.wrmsr(MIGRATION, 1) is HANDLED
    assert bench.rdmsr(MIGRATION) == 1
    assert (bench.counts["user_exits"], bench.counts["kernel_exits"]) == (2, 0)
    assert bench.get_msr(MIGRATION) is None, "KVM_GET_MSRS does not know it even then"
    control = FEATURES["migration_control"]
    assert bench.protocol.serving(bench.machine.entries, VM, control, 0x3000) == 0x3000


# -- R19, R20: the guest ---------------------------------------------------------------------------------


def test_per_feature_R19_the_guest_believes_whatever_the_host_said():
    bench = bench_of(PerFeature)
    assert bench.register("pv_eoi", HOLE) is ACCEPTED
    assert bench.serves("pv_eoi") is None
    assert bench_of(PerFeature, host=Host(knows_protocol=False)).register("steal_time", 0x3000) is ACCEPTED
    assert bench_of(PerFeature).register("steal_time", 0x3000, cpl=3) is ACCEPTED


@pytest.mark.parametrize("name", ["kvmclock", "async_pf", "pv_eoi", "steal_time"])
def test_per_feature_R20_zero_revokes(bench, name):
    bench.register(name, 0x3000)
    assert bench.serves(name) == 0x3000
    bench.unregister(name, 0x3000)
    assert bench.serves(name) is None
    assert bench.machine.entries.get(register(0, KVM_REGISTERS[name][0].msr)) in (None, 0)


def test_per_feature_R20_linux_never_clears_the_wall_clock_and_the_vector(bench):
    register_all(bench)
    before = bench.counts["wrmsr_exits"]
    bench.unregister("wall_clock", 0x3100)
    assert bench.counts["wrmsr_exits"] == before
    bench.unregister("async_pf", 0x3200)
    assert bench.rdmsr(APF_INT) == 0xF3
    assert bench.rdmsr(WALL) == 0x3100


def test_per_feature_R20_poll_control_is_revoked_by_its_first_value(bench):
    bench.register("poll_control", 0)
    assert bench.rdmsr(POLL) == 0
    bench.unregister("poll_control", 0)
    assert bench.rdmsr(POLL) == 1


# -- what lies in the host -------------------------------------------------------------------------------


def test_per_feature_R1_every_entry_is_a_register_or_derived_from_one(bench):
    register_all(bench)
    bench.enter()
    kinds = {key.kind for key in bench.machine.entries}
    assert kinds == {"register", "area", "baseline", "cached"}
    assert {key.name for key in bench.machine.host_entries("register")} == set(LINUX)


def test_per_feature_R1_a_value_is_served_by_the_register_itself(bench):
    poll = FEATURES["poll_control"]
    assert bench.protocol.serving(bench.machine.entries, 0, poll, 0x3000) is None
    bench.register("poll_control", 0x3000)
    assert bench.protocol.serving(bench.machine.entries, 0, poll, 0x3000) == 0x3000
    assert bench.machine.host_entries("area") == {}


def test_per_feature_R4_the_last_bytes_of_a_slot_are_written(bench):
    bench.wrmsr(CLOCK, RAM_END - 32 | 1)
    assert bench.number(RAM_END - 32) == 2


def test_per_feature_R17_a_host_write_is_a_set_of_the_same_cells(bench):
    cpu = bench.machine.cpus[0]
    by_guest = list(bench.protocol.on_wrmsr(cpu, STEAL, 0x3001))
    by_host = list(bench.protocol.on_wrmsr(cpu, STEAL, 0x3001, host_initiated=True))
    assert by_guest == by_host == [Set(register(0, STEAL), 0x3001), Set(area(0, "steal_time"), 0x3000)]
