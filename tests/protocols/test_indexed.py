"""indexed, clause by clause: a register that selects, and one that is what was selected. See test_slots.py, too."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, VM, registry
from workbench.engines.explore.vm import Bounds
from workbench.features import choose
from workbench.history.broken.indexed import IndexUnchecked
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.variants import Variant
from workbench.protocols._slots import SLOT_COUNT, SLOTS
from workbench.protocols.indexed import DATA, ENABLE, NUMBER, REVOKE_VM, SELECT, SELECTED, Indexed

CLOCK, STEAL = (SLOTS.index(name) for name in ("kvmclock", "steal_time"))
PLACE = 0x1_0000


@pytest.fixture
def machine():
    return bench(Indexed, vcpus=2)


def two_types(event, vcpus, *mitigations):
    """Return what fails with two types of areas, so that an address can meet the wrong slot."""
    chosen = Variant.of(Indexed, mitigations)
    features = choose(["kvmclock", "steal_time"])
    question = Question(chosen, EVENTS[event], features, vcpus, Bounds(updates=0))
    return {finding.name for finding in explore_question(question).result.findings}


def write(machine, slot, value, cpu=0):
    machine.wrmsr(SELECT, slot, cpu)
    return machine.wrmsr(DATA, value, cpu)


def test_R1_a_registration_is_two_exits(machine):
    assert machine.register("steal_time", PLACE) is ACCEPTED
    assert machine.counts["wrmsr_exits"] == machine.counts["exits"] == 2
    assert (machine.rdmsr(SELECT), machine.rdmsr(DATA)) == (STEAL, PLACE | ENABLE)


@pytest.mark.parametrize("value", [PLACE | 2 | ENABLE, 1 << 52 | PLACE | 1, 1 << 63 | 1, PLACE | 33, 1 << 40 | 1])
def test_R2_what_is_refused_faults_and_changes_nothing(machine, value):
    machine.register("steal_time", PLACE)
    assert write(machine, STEAL, value) is FAULT
    assert machine.rdmsr(DATA) == PLACE | ENABLE


def test_R2_a_value_without_bit_0_revokes(machine):
    machine.register("steal_time", PLACE)
    assert write(machine, STEAL, 0x2_0000) is HANDLED
    assert machine.serves("steal_time") is None
    assert machine.rdmsr(DATA) == 0


def test_R2_a_guest_can_look_back(machine):
    feature, cpu = machine.protocol.by_name["steal_time"], machine.machine.cpus[0]
    machine.register("steal_time", PLACE)
    assert machine.guest(machine.protocol.confirm(cpu, feature, PLACE)) is ACCEPTED
    assert machine.guest(machine.protocol.confirm(cpu, feature, PLACE + 64)) is REFUSED


@pytest.mark.parametrize("slot", [SLOT_COUNT - 1, SLOT_COUNT, 200, 1 << 40])
def test_R3_an_index_without_a_slot_faults_at_the_write_of_data(machine, slot):
    assert machine.wrmsr(SELECT, slot) is HANDLED
    assert machine.rdmsr(SELECT) == slot
    assert machine.rdmsr(DATA) == 0
    assert machine.wrmsr(DATA, PLACE | ENABLE) is FAULT


def test_R3_a_host_that_does_not_compare_is_a_case_of_history():
    unchecked = bench(IndexUnchecked)
    assert write(unchecked, 200, PLACE | ENABLE) is HANDLED
    assert write(bench(IndexUnchecked, mitigations=["check-index"]), 200, PLACE | ENABLE) is FAULT


def test_R4_another_vcpu_between_the_two_exits_makes_it_another_slot(machine):
    machine.wrmsr(SELECT, STEAL, 0)
    machine.wrmsr(SELECT, CLOCK, 1)
    assert machine.wrmsr(DATA, PLACE | ENABLE, 0) is HANDLED
    assert (machine.serves("steal_time"), machine.serves("kvmclock")) == (None, PLACE)


def test_R4_with_a_register_of_its_own_it_does_not():
    machine = bench(Indexed, vcpus=2, mitigations=["per-vcpu-select"])
    machine.wrmsr(SELECT, STEAL, 0)
    machine.wrmsr(SELECT, CLOCK, 1)
    assert machine.wrmsr(DATA, PLACE | ENABLE, 0) is HANDLED
    assert machine.serves("steal_time") == PLACE


@pytest.mark.slow
def test_R4_explored_with_two_vcpus_and_two_types():
    assert {"false-success", "old-area-live", "write-outside"} <= two_types("boot", 2)
    assert "false-success" in two_types("boot", 2, "put-back")
    assert two_types("boot", 2, "per-vcpu-select") == two_types("boot", 2, "one-shot") == set()


@pytest.mark.parametrize(
    ("mitigations", "exits"), [((), 2), (("per-vcpu-select",), 2), (("put-back",), 4), (("one-shot",), 1)]
)
def test_R5_R6_what_a_registration_takes_that_an_nmi_cannot_harm(mitigations, exits):
    """What an NMI between the exits does is in tests/lifecycle/test_nmi.py."""
    machine = bench(Indexed, mitigations=mitigations)
    machine.register("kvmclock", PLACE)
    assert machine.counts["exits"] == exits


def test_R6_one_exit_names_slot_and_address():
    machine = bench(Indexed, mitigations=["one-shot"])
    assert machine.wrmsr(DATA, (STEAL + 1) << NUMBER | PLACE | ENABLE) is HANDLED
    assert machine.serves("steal_time") == PLACE
    assert machine.rdmsr(SELECT) == 0
    assert machine.wrmsr(DATA, 63 << NUMBER | PLACE | ENABLE) is FAULT
    assert machine.unregister("steal_time", PLACE) is ACCEPTED
    assert machine.serves("steal_time") is None


def test_R7_the_index_is_state_and_is_restored_last(machine):
    machine.register("steal_time", PLACE)
    assert machine.migrate() == ((0, "steal_time", PLACE), (VM, SELECTED, STEAL))
    assert machine.rdmsr(SELECT) == STEAL
    assert [(entry.name, entry.carried) for entry in machine.state()] == [("index", True), ("area steal_time", True)]
    assert two_types("migrate", 1) == set()


def test_R8_init_sets_a_select_of_its_own_to_0(machine):
    machine.register("steal_time", PLACE)
    machine.init(0)
    assert machine.machine.entries == {registry(VM, SELECTED): STEAL}
    own = bench(Indexed, mitigations=["per-vcpu-select"])
    own.register("steal_time", PLACE)
    own.init(0)
    assert own.machine.entries == {}


def test_R9_a_new_kernel_clears_the_types_that_it_knows():
    machine = bench(Indexed, vcpus=2, features=["wall_clock", "steal_time"], mitigations=["revoke-all"])
    for cpu in (0, 1):
        machine.register("steal_time", PLACE + 64 * cpu, cpu)
    machine.register("wall_clock", 0x2_0000)
    for cpu, left in ((1, {"wall_clock"}), (0, set())):
        machine.guest(machine.protocol.revoke_all(machine.machine.cpus[cpu]), cpu)
        assert {
            name for name in ("wall_clock", "steal_time") if machine.serves(name, cpu if name == "steal_time" else VM)
        } == left
    assert "unknown-to-guest" in failing(Indexed, "kexec-to-silent", ["steal_time"])
    assert "unknown-to-guest" not in failing(Indexed, "kexec-to-silent", ["steal_time"], mitigations=["revoke-all"])
    assert failing(Indexed, "old-host", ["steal_time"], mitigations=["revoke-all"]) == set()


def test_R10_all_ones_are_an_index_like_any_other_without_the_mitigation(machine):
    machine.register("steal_time", PLACE)
    assert machine.wrmsr(SELECT, REVOKE_VM) is HANDLED
    assert machine.serves("steal_time") == PLACE
    other = bench(Indexed, mitigations=["revoke-vm"])
    other.register("steal_time", PLACE)
    assert other.wrmsr(SELECT, REVOKE_VM) is HANDLED
    assert other.serves("steal_time") is None
