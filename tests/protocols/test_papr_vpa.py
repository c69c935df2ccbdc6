"""papr_vpa, clause by clause: the areas of POWER, whose sizes are in themselves."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.core.driver import guest_side
from workbench.core.scenario import Scenario
from workbench.design import ACCEPTED, REFUSED, U16, U32, Hypercall, registry, staged
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.protocols.papr_vpa import (
    DEREGISTER,
    FUNCTION_SHIFT,
    H_FUNCTION,
    H_PARAMETER,
    H_REGISTER_VPA,
    H_RESOURCE,
    H_SUCCESS,
    SORTS,
    PaprVpa,
)

VPA, DTL, SLB = 0x1_0000, 0x2_0000, 0x3_0000
PLACES = {"vpa": VPA, "dtl": DTL, "slb_shadow": SLB}


@pytest.fixture
def machine():
    made = bench(PaprVpa, vcpus=2)
    for name, gpa in PLACES.items():
        made.prepare(name, gpa)
    return made


def call(machine, function, target=0, gpa=0, cpu=0):
    return machine.hypercall(H_REGISTER_VPA, function << FUNCTION_SHIFT, target, gpa, cpu=cpu)


def with_all(machine):
    assert [machine.register(name, gpa) for name, gpa in PLACES.items()] == [ACCEPTED] * 3
    return machine


@pytest.mark.parametrize("name", SORTS)
def test_R1_one_call_registers_each_kind_and_another_sub_function_revokes_it(machine, name):
    with_all(machine)
    exits = machine.counts["exits"]
    assert machine.serves(name) == PLACES[name]
    if name != "vpa":
        assert call(machine, SORTS[name].number + DEREGISTER) == H_SUCCESS
        assert machine.serves(name) is None
        assert machine.counts["exits"] == exits + 1


@pytest.mark.parametrize("function", [0, 4])
def test_R1_what_is_no_sub_function_is_refused(machine, function):
    assert call(machine, function, 0, VPA) == H_PARAMETER


@pytest.mark.parametrize("gpa", [0, VPA + 64, VPA + 8, 1 << 40])
def test_R2_an_address_that_is_0_unaligned_or_no_ram_is_refused(machine, gpa):
    machine.memory.store(0, machine.memory.load(VPA, 16))
    assert call(machine, 1, 0, gpa) == H_PARAMETER
    assert machine.machine.entries == {}


@pytest.mark.parametrize(
    ("name", "length", "answer"),
    [
        ("vpa", 640, ACCEPTED), ("vpa", 639, REFUSED), ("vpa", 4096, ACCEPTED), ("vpa", 4097, REFUSED),
        ("dtl", 48, ACCEPTED), ("dtl", 47, REFUSED), ("slb_shadow", 8, ACCEPTED), ("slb_shadow", 7, REFUSED),
    ],
)  # fmt: skip
def test_R3_the_length_in_the_area_counts(machine, name, length, answer):
    if name != "vpa":
        machine.register("vpa", VPA)
    machine.memory.store(PLACES[name] + 4, (U16 if name == "vpa" else U32).pack(length))
    assert machine.register(name, PLACES[name]) is answer


def test_R3_a_log_is_rounded_down_to_whole_entries(machine):
    machine.register("vpa", VPA)
    machine.memory.store(DTL + 4, U32.pack(100))
    machine.register("dtl", DTL)
    assert machine.machine.entries[registry(0, "dtl")] == (DTL, 96)


@pytest.mark.parametrize("name", ["dtl", "slb_shadow"])
def test_R4_the_others_need_a_vpa_which_cannot_go_before_them(machine, name):
    assert call(machine, SORTS[name].number, 0, PLACES[name]) == H_RESOURCE
    machine.register("vpa", VPA)
    assert machine.register(name, PLACES[name]) is ACCEPTED
    assert call(machine, 1 + DEREGISTER) == H_RESOURCE
    assert machine.serves("vpa") == VPA
    assert machine.unregister(name, PLACES[name]) is ACCEPTED
    assert machine.unregister("vpa", VPA) is ACCEPTED


def test_R4_a_vpa_that_was_dropped_does_not_count(machine):
    call(machine, 1, 1, VPA)
    taken = machine.memory.load(DTL, 16)
    machine.memory.delete(0)
    machine.enter(1)
    assert machine.serves("vpa", 1) is None
    machine.memory.add(0, 1 << 20)
    machine.memory.store(DTL, taken)
    assert call(machine, 2, 1, DTL) == H_RESOURCE


def test_R5_any_cpu_registers_for_any_other_but_not_for_one_that_is_not_there(machine):
    assert call(machine, 1, 2, VPA) == H_PARAMETER
    assert call(machine, 1, 1, VPA, cpu=0) == H_SUCCESS


def test_R6_R7_success_is_not_mapped_the_target_maps_at_its_entry(machine):
    call(machine, 1, 1, VPA, cpu=0)
    assert machine.machine.entries[staged(1, "vpa")] is True
    assert machine.serves("vpa", 1) is None
    machine.enter(1)
    assert machine.serves("vpa", 1) == VPA
    assert "false-success" in failing(PaprVpa, "registered-for-another", ["vpa"], 2)


def test_R7_a_newer_call_wins_and_what_is_gone_by_then_is_dropped_silently(machine):
    call(machine, 1, 1, VPA)
    machine.prepare("vpa", 0x5_0000)
    call(machine, 1, 1, 0x5_0000)
    machine.enter(1)
    assert machine.serves("vpa", 1) == 0x5_0000
    call(machine, 1, 1, VPA)
    machine.memory.delete(0)
    machine.enter(1)
    assert machine.serves("vpa", 1) is None
    assert machine.machine.entries[registry(1, "vpa")] == (VPA, 640)


def test_R8_the_yield_count_is_1_when_the_area_is_mapped_and_even_while_the_vcpu_runs(machine):
    machine.memory.store(VPA + 256, U32.pack(77))
    machine.register("vpa", VPA)
    assert machine.number(VPA + 256) == 1
    machine.enter()
    assert machine.number(VPA + 256) == 2
    machine.migrate()
    machine.enter()
    assert machine.number(VPA + 256) == 2


def test_R9_two_areas_may_overlap(machine):
    machine.register("vpa", VPA)
    machine.memory.store(VPA + 4, U32.pack(640))
    assert machine.register("dtl", VPA) is ACCEPTED


def test_R10_a_second_registration_replaces_the_first_and_no_area_crosses_a_page(machine):
    with_all(machine)
    machine.prepare("vpa", 0x5_0000)
    machine.register("vpa", 0x5_0000)
    assert machine.serves("vpa") == 0x5_0000
    machine.prepare("vpa", 0x6_0F00)
    assert machine.register("vpa", 0x6_0F00) is REFUSED


def test_R11_40_bytes_for_each_vcpu_by_pseudo_registers(machine):
    state = with_all(machine).state()
    assert sum(entry.wire_bytes for entry in state) == 40
    assert {entry.interface for entry in state} == {"KVM_SET_ONE_REG"}


def test_R12_a_restore_checks_less_than_the_call(machine):
    protocol, cpus = machine.protocol, tuple(machine.machine.cpus.values())
    machine.host(protocol.restore(cpus, ((0, "dtl", DTL, 4096), (0, "vpa", VPA + 8, 640), (1, "vpa", 1 << 40, 1024))))
    assert not {registry(0, "dtl"), registry(0, "vpa")} & set(machine.machine.entries)
    assert machine.machine.entries[registry(1, "vpa")] == (1 << 40, 640)
    machine.host(protocol.restore(cpus[1:], ((1, "dtl", DTL, 4096),)))
    machine.enter(1)
    machine.host(protocol.restore(cpus[1:], ((1, "slb_shadow", SLB, 128),)))
    assert machine.machine.entries[registry(1, "slb_shadow")] == (SLB, 128)


def test_R13_the_vpa_is_restored_first_and_all_are_served_after_the_next_entry(machine):
    assert [item[1] for item in with_all(machine).migrate()] == ["vpa", "dtl", "slb_shadow"]
    assert machine.serves("vpa") is None
    machine.enter()
    assert [machine.serves(name) for name in PLACES] == list(PLACES.values())


def test_R14_a_reset_clears_all_three(machine):
    with_all(machine).init()
    assert machine.machine.entries == {}


@pytest.mark.parametrize("event", ["kexec", "cpu-unplug"])
def test_R15_a_kernel_that_goes_revokes_in_the_order_that_the_host_wants(event):
    features = choose(PaprVpa.own_features)
    found = simulate(Scenario(PaprVpa(features), features, vcpus=2), EVENTS[event])
    assert "stale" not in {fate.value for fate in found.fates.values()}


def test_R15_areas_that_nobody_revokes_are_written_into_the_next_kernel():
    assert "stray-write" in failing(PaprVpa, "kexec-no-teardown", ["vpa"])


def test_R16_an_ordinary_guest_cannot_revoke_for_all_unless_the_mitigation_lets_it(machine):
    with_all(machine)
    assert call(machine, 4) == H_PARAMETER
    other = bench(PaprVpa, mitigations=("revoke-vm",))
    other.prepare("vpa", VPA)
    other.register("vpa", VPA)
    other.guest(other.protocol.revoke_everything(other.machine.cpus[0]))
    assert other.machine.entries == {}
    assert failing(PaprVpa, "kexec", ["vpa"], mitigations=("revoke-vm",)) == set()


def test_a_host_without_the_call_answers_as_the_architecture_does():
    features = choose(PaprVpa.own_features)
    here = EVENTS["old-host"].adapt(Scenario(PaprVpa(features), features))
    found = simulate(here, EVENTS["boot"])

    def asks():
        return (yield Hypercall(H_REGISTER_VPA, (1 << FUNCTION_SHIFT, 0, VPA)))

    assert found.machine.run(0, guest_side(here.protocol, asks())) == H_FUNCTION
