"""grow_area, clause by clause: one registration for all that is in the area."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.core.kvm_registers import STEAL_TIME
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, U8, Abi
from workbench.features import FEATURES, OTHERS
from workbench.features.others.grown import FLUSH
from workbench.features.steal_time import KVM_STEAL_TIME
from workbench.protocols.grow_area import AREA_BYTES, OFFSETS, GrowArea

PLACE = 0x1_0000


@pytest.fixture
def machine():
    return bench(GrowArea, vcpus=2)


def with_all(machine):
    for name, offset in OFFSETS.items():
        machine.prepare(name, PLACE + offset)
        assert machine.register(name, PLACE + offset) is ACCEPTED
    return machine


def test_R1_one_exit_for_all_that_is_in_the_area(machine):
    with_all(machine)
    assert machine.counts["exits"] == machine.counts["wrmsr_exits"] == 1
    assert machine.wrmsr(STEAL_TIME.msr, PLACE | 3) is FAULT
    assert machine.register("steal_base", 1 << 40) is ACCEPTED
    assert machine.register("steal_base", PLACE + 2) is ACCEPTED  # refused, and Linux does not look
    assert "false-success" in failing(GrowArea, "old-host", ["steal_base"])


def test_R2_a_feature_is_an_offset_of_kvms_structure(machine):
    layout = KVM_STEAL_TIME.on(Abi.X86_64)
    assert OFFSETS["preempted"] == layout.offset_of("preempted")
    assert OFFSETS["tlb_flush"] == FLUSH
    assert OTHERS["steal_base"].size <= OFFSETS["preempted"]
    assert {name: with_all(machine).serves(name) for name in OFFSETS} == {
        name: PLACE + offset for name, offset in OFFSETS.items()
    }


def test_R2_each_is_written_by_its_own_rule(machine):
    with_all(machine)
    machine.update("preempted", PLACE + OFFSETS["preempted"])
    machine.memory.store(PLACE + FLUSH, U8.pack(1))
    assert machine.read("preempted", PLACE + OFFSETS["preempted"]) == 1
    machine.enter()
    assert machine.read("preempted", PLACE + OFFSETS["preempted"]) == 0
    assert machine.number(PLACE + FLUSH, 1) == 0
    assert machine.read("steal_base", PLACE).version == 2


@pytest.mark.parametrize("others", [["preempted"], ["tlb_flush"], ["preempted", "tlb_flush"]])
def test_R2_the_offsets_are_the_same_whichever_are_carried(others):
    assert failing(GrowArea, "boot", ["steal_base", *others]) == set()


def test_R3_nothing_else_can_be_said(machine):
    grown = GrowArea([*FEATURES.values(), *map(OTHERS.get, OFFSETS)])
    assert [name for name in FEATURES if grown.supports(FEATURES[name])] == []
    assert not GrowArea([OTHERS["preempted"]]).supports(OTHERS["preempted"])  # without the area it is in
    assert machine.register("preempted", 0x2_0000) is REFUSED
    assert machine.counts["exits"] == 0
    assert AREA_BYTES - OFFSETS["preempted"] - 1 == 47


def test_R4_all_live_and_die_together(machine):
    with_all(machine)
    machine.unregister("preempted", PLACE + OFFSETS["preempted"])
    assert machine.serves("preempted") is not None
    machine.unregister("steal_base", PLACE)
    assert machine.machine.entries == {}
    with_all(machine).init()
    assert machine.machine.entries == {}
    for event in ("kexec", "cpu-unplug", "init"):
        assert failing(GrowArea, event) == set()


def test_R4_what_is_left_behind_is_written_in_one_place(machine):
    assert "stray-write" in failing(GrowArea, "kexec-no-teardown", ["steal_base", "preempted"])


def test_R5_one_register_is_all_the_state(machine):
    (entry,) = with_all(machine).state()
    assert (entry.name, entry.entry_bytes, entry.architected) == ("STEAL_TIME", 16, True)
    machine.migrate()
    assert machine.serves("tlb_flush") == PLACE + OFFSETS["tlb_flush"]
    assert machine.rdmsr(STEAL_TIME.msr) == PLACE | 1
    assert failing(GrowArea, "migrate") == set()


def test_R5_a_guest_can_read_it_back(machine):
    protocol, cpu = with_all(machine).protocol, machine.machine.cpus[0]
    for name, offset in OFFSETS.items():
        assert machine.guest(protocol.confirm(cpu, OTHERS[name], PLACE + offset)) is ACCEPTED
        assert machine.guest(protocol.confirm(cpu, OTHERS[name], PLACE + offset + 64)) is REFUSED


def test_R6_a_bad_address_is_silent_unless_it_is_checked(machine):
    assert machine.wrmsr(STEAL_TIME.msr, 1 << 40 | 1) is HANDLED
    assert "silent-area" in failing(GrowArea, "hostile-bad-base", ["steal_base"])
    careful = bench(GrowArea, mitigations=["check-address"])
    assert careful.register("steal_base", 1 << 40) is REFUSED
    assert careful.machine.entries == {}
    assert failing(GrowArea, "hostile-bad-base", ["steal_base"], mitigations=["check-address"]) == set()
    assert failing(GrowArea, "old-host", ["steal_base"], mitigations=["check-address"]) == set()
