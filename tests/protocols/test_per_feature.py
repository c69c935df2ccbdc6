"""per_feature, one test or more per clause: what Linux KVM does in addition to accepting or refusing a value."""

import pytest

from workbench.core.host_state import VM, area, pending, register
from workbench.core.kvm_registers import KVM_REGISTERS, QEMU_ORDER
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED
from workbench.core.relay import driven
from workbench.core.steps import Backed, Set, Wrmsr
from workbench.core.vcpu import KVM_SUPPORTED, Host
from workbench.engines.simulate.by_hand import RAM_END, Bench
from workbench.features import FEATURES, choose
from workbench.protocols import PerFeature

from .bench import bench_of

WALL, CLOCK = 0x4B56_4D00, 0x4B56_4D01
APF_EN, STEAL, EOI, POLL, APF_INT, APF_ACK, MIGRATION = range(0x4B56_4D02, 0x4B56_4D09)
OLD_WALL, OLD_CLOCK = 0x11, 0x12
HOLE = 0x30_0000
#: What a Linux guest leaves in the registers of one vCPU.
LINUX = {CLOCK: 0x3001, WALL: 0x3100, APF_INT: 0xF3, APF_EN: 0x3209, EOI: 0x3301, STEAL: 0x3401}


@pytest.fixture
def bench():
    return bench_of(PerFeature)


def register_all(bench, cpu=0):
    for msr, value in LINUX.items():
        assert bench.wrmsr(msr, value + (0 if msr == APF_INT else 0x1000 * cpu), cpu) is HANDLED


def yields_of(program):
    """Return the steps of a guest program whose register accesses all succeed."""
    steps = []

    def answered(step):
        steps.append(step)
        return HANDLED

    return steps, driven(program, answered)


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


def test_per_feature_R4_an_area_in_no_slot_is_written_when_memory_appears(bench):
    bench.wrmsr(CLOCK, HOLE | 1)
    bench.enter()
    bench.memory.add(HOLE, 0x1000)
    assert bench.memory.load(HOLE, 32) == bytes(32)
    bench.enter()
    assert bench.number(HOLE) == 2


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
    assert bench.serves("pv_eoi") == 0x3000


def test_per_feature_R7_disabled_needs_no_memory(bench):
    bench.wrmsr(EOI, 0x3001)
    assert bench.wrmsr(EOI, HOLE) is HANDLED
    assert bench.serves("pv_eoi") is None


def test_per_feature_R7_works_without_a_lapic_in_the_kernel():
    bench = bench_of(PerFeature, host=Host(irqchip=False))
    assert bench.wrmsr(EOI, 0x3001) is HANDLED
    assert bench.serves("pv_eoi") == 0x3000


# -- R8 to R12: async page fault -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0x5011, 0x5021, 0x5030])
def test_per_feature_R8_reserved_bits_change_nothing(bench, value):
    bench.wrmsr(APF_EN, 0x3009)
    assert bench.wrmsr(APF_EN, value) is FAULT
    assert bench.rdmsr(APF_EN) == 0x3009
    assert bench.serves("async_pf") == 0x3000


def test_per_feature_R8_without_a_lapic_only_zero_is_accepted():
    bench = bench_of(PerFeature, host=Host(irqchip=False))
    assert bench.wrmsr(APF_EN, 0x3009) is FAULT
    assert bench.set_msr(APF_EN, 0) is True, "kernel 5.8 refused it, and QEMU aborted"
    assert bench.rdmsr(APF_EN) == 0


@pytest.mark.parametrize("value", [0x3001, 0x3008, 0x3003, HOLE | 1])
def test_per_feature_R9_without_both_bits_accepted_and_silent(bench, value):
    bench.wrmsr(APF_EN, 0x4009)
    assert bench.wrmsr(APF_EN, value) is HANDLED
    assert bench.rdmsr(APF_EN) == value
    assert bench.serves("async_pf") is None


@pytest.mark.parametrize("value", [0x3009, 0x300B, 0x300D, 0x300F])
def test_per_feature_R9_both_bits_enable(bench, value):
    assert bench.wrmsr(APF_EN, value) is HANDLED
    assert bench.serves("async_pf") == 0x3000


def token(bench, gpa=0x3000):
    return bench.number(gpa + 4)


@pytest.mark.parametrize("write", [Bench.wrmsr, Bench.set_msr])
def test_per_feature_R9_enabling_wakes_all_at_the_next_entry(bench, write):
    write(bench, APF_EN, 0x3009)
    assert token(bench) == 0
    bench.enter()
    assert token(bench) == 0xFFFF_FFFF


def test_per_feature_R9_a_token_that_was_not_taken_is_waited_for(bench):
    bench.memory.store(0x3004, b"\5\0\0\0")
    bench.wrmsr(APF_EN, 0x3009)
    bench.enter()
    assert token(bench) == 5
    assert bench.guest(FEATURES["async_pf"].read(0x3000)) == 5
    bench.enter()
    assert token(bench) == 0, "KVM looks again only when the guest says so"
    bench.wrmsr(APF_ACK, 0)
    assert token(bench) == 0, "bit 0 says so"
    bench.wrmsr(APF_ACK, 1)
    assert token(bench) == 0xFFFF_FFFF
    assert bench.guest(FEATURES["async_pf"].read(0x3000)) == 0xFFFF_FFFF
    bench.wrmsr(APF_ACK, 1)
    assert token(bench) == 0, "one enabling, one event"


@pytest.mark.parametrize("drop", ["disable", "init"])
def test_per_feature_R9_disabling_and_init_drop_what_waits(bench, drop):
    bench.memory.store(0x3004, b"\5\0\0\0")
    bench.wrmsr(APF_EN, 0x3009)
    bench.memory.store(0x3004, bytes(4))
    if drop == "init":
        bench.init()
    else:
        bench.wrmsr(APF_EN, 0)
    bench.wrmsr(APF_ACK, 1)
    bench.enter()
    assert token(bench) == 0


def test_per_feature_R9_enabling_again_after_what_waited_was_dropped_wakes_all_at_the_next_entry(bench):
    bench.memory.store(0x3004, b"\5\0\0\0")
    bench.wrmsr(APF_EN, 0x3009)
    bench.enter()  # the token is not taken: the wake-all waits for an ACK
    bench.wrmsr(APF_EN, 0)
    bench.memory.store(0x3004, bytes(4))
    bench.wrmsr(APF_EN, 0x3009)
    bench.enter()
    assert token(bench) == 0xFFFF_FFFF


def test_per_feature_R20_a_clock_that_the_vmm_disables_has_no_update_due(bench):
    bench.register("kvmclock", 0x3000)
    assert bench.set_msr(CLOCK, 0) is True
    assert pending(0, "kvmclock") not in bench.machine.entries
    assert bench.set_msr(CLOCK, 0x3001) is True
    assert bench.machine.entries[pending(0, "kvmclock")] is True


def test_per_feature_R10_a_refused_enable_is_remembered(bench):
    bench.wrmsr(APF_EN, 0x3009)
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    assert bench.rdmsr(APF_EN) == bench.get_msr(APF_EN) == HOLE | 9
    assert bench.serves("async_pf") is None


def test_per_feature_R10_the_remembered_value_stops_a_restore_halfway(bench):
    """The bug as observed: KVM_SET_MSRS of {INT, EN, STEAL} stops at the second entry, and steal time is lost."""
    register_all(bench)
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    bench.migrate()
    assert bench.get_msr(APF_INT) == 0xF3
    assert bench.get_msr(STEAL) == 0
    assert bench.serves("steal_time") is None


def test_per_feature_R17_mitigation_quiet_restore():
    """The host's write of WALL_CLOCK is stored; guest memory is not written until the guest registers again."""
    bench = bench_of(PerFeature, mitigations=("quiet-restore",))
    bench.register("wall_clock", 0x4000)
    before = bench.counts["host_stores"]
    bench.migrate()
    assert bench.serves("wall_clock", VM) == 0x4000
    assert bench.counts["host_stores"] == before
    bench.register("wall_clock", 0x4000)
    assert bench.counts["host_stores"] > before


def test_per_feature_R10_mitigation_commit_after_check():
    """Mitigation: ASYNC_PF_EN keeps its old value, and the old area, when the new one is refused."""
    bench = bench_of(PerFeature, mitigations=("commit-after-check",))
    register_all(bench)
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    assert bench.rdmsr(APF_EN) == LINUX[APF_EN]
    assert bench.serves("async_pf") == 0x3200
    bench.migrate()
    assert bench.get_msr(STEAL) == LINUX[STEAL]
    assert bench.wrmsr(APF_EN, 0x5009) is HANDLED
    assert bench.serves("async_pf") == 0x5000


def test_per_feature_R10_the_first_8_bytes_must_be_backed(bench):
    program = bench.protocol.on_wrmsr(bench.machine.cpus[0], APF_EN, 0x3009)
    assert Backed(0x3000, 8) in list(program)


def test_per_feature_R11_a_refused_vector_changes_nothing(bench):
    bench.wrmsr(APF_INT, 0xF3)
    assert bench.wrmsr(APF_INT, 0x1F3) is FAULT
    assert bench.rdmsr(APF_INT) == 0xF3


def test_per_feature_R12_an_acknowledgement_leaves_no_state(bench):
    bench.wrmsr(APF_ACK, 1)
    assert bench.machine.entries == {}


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
    assert kinds == {"register", "area", "baseline"}
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
