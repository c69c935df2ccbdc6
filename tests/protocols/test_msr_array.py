"""msr_array, clause by clause: registers that tell what they are for. What it shares is in test_slots.py."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, U64
from workbench.protocols._slots import SLOT_COUNT, SLOTS
from workbench.protocols.msr_array import ENABLE, FIRST_SLOT, GPA_BITS, OF_VM, RESERVED, REVOKE_VM, MsrArray

STEAL = FIRST_SLOT + SLOTS.index("steal_time")
WALL = FIRST_SLOT + SLOTS.index("wall_clock")
PLACE = 0x1_0000


@pytest.fixture
def machine():
    return bench(MsrArray, vcpus=2)


def test_R1_one_exit_registers(machine):
    assert machine.register("steal_time", PLACE) is ACCEPTED
    assert machine.counts["exits"] == machine.counts["wrmsr_exits"] == 1


@pytest.mark.parametrize(
    ("name", "of_vm", "bytes_"),
    [("kvmclock", False, 32), ("wall_clock", True, 16), ("steal_time", False, 64), ("pv_eoi", False, 4)],
)
def test_R2_a_slot_tells_its_type_whose_it_is_and_its_size(machine, name, of_vm, bytes_):
    slot = SLOTS.index(name)
    told = machine.rdmsr(FIRST_SLOT + slot)
    assert told >> 58 == slot + 1
    assert bool(told & OF_VM) is of_vm
    assert 1 << (told >> 52 & 31) == bytes_
    assert told & (GPA_BITS | ENABLE) == 0
    machine.register(name, PLACE)
    assert machine.rdmsr(FIRST_SLOT + slot) == told | PLACE | ENABLE


def test_R2_a_slot_that_is_not_there_reads_0(machine):
    assert machine.rdmsr(FIRST_SLOT + SLOT_COUNT - 1) == 0


def test_R3_a_value_without_bit_0_revokes_and_is_not_kept(machine):
    machine.register("steal_time", PLACE)
    assert machine.wrmsr(STEAL, 0x2_0000) is HANDLED
    assert machine.serves("steal_time") is None
    assert machine.rdmsr(STEAL) & (GPA_BITS | ENABLE) == 0
    assert "registers" not in failing(MsrArray, "hostile-not-enabled", ["steal_time"])


@pytest.mark.parametrize("value", [PLACE | ENABLE | RESERVED, RESERVED, 1 << 52 | PLACE | 1, 1 << 63, 1 << 40 | 1])
def test_R4_what_is_refused_faults_and_changes_nothing(machine, value):
    machine.register("steal_time", PLACE)
    before = machine.rdmsr(STEAL)
    assert machine.wrmsr(STEAL, value) is FAULT
    assert machine.rdmsr(STEAL) == before


def test_R4_what_was_read_can_be_written_but_not_to_another_slot(machine):
    machine.register("steal_time", PLACE)
    assert machine.wrmsr(STEAL, machine.rdmsr(STEAL)) is HANDLED
    assert machine.wrmsr(WALL, machine.rdmsr(STEAL)) is FAULT
    assert machine.wrmsr(FIRST_SLOT + SLOT_COUNT - 1, 0) is FAULT


def test_R5_read_back_tells_what_an_ignored_write_does_not():
    assert "false-success" in failing(MsrArray, "ignore-msrs", ["steal_time"])
    assert failing(MsrArray, "ignore-msrs", ["steal_time"], mitigations=["read-back"]) == set()
    machine = bench(MsrArray, mitigations=["read-back"])
    assert machine.register("steal_time", PLACE) is ACCEPTED
    assert machine.register("steal_time", PLACE + 8) is REFUSED
    assert machine.unregister("steal_time", PLACE) is ACCEPTED
    assert machine.counts["exits"] == 5


def test_R5_a_guest_can_look_back(machine):
    protocol, cpu = machine.protocol, machine.machine.cpus[0]
    feature = protocol.by_name["steal_time"]
    assert machine.guest(protocol.confirm(cpu, feature, PLACE)) is REFUSED
    machine.register("steal_time", PLACE)
    assert machine.guest(protocol.confirm(cpu, feature, PLACE)) is ACCEPTED
    assert machine.guest(protocol.confirm(cpu, feature, PLACE + 64)) is REFUSED


def test_R6_the_vmm_carries_slots_as_registers_without_their_description(machine):
    machine.register("steal_time", PLACE)
    held = machine.host(machine.protocol.on_rdmsr(machine.machine.cpus[0], STEAL, host_initiated=True))
    assert held == PLACE | ENABLE
    (entry,) = machine.state()
    assert (entry.interface, entry.entry_bytes, entry.architected, entry.carried) == (
        "KVM_GET/SET_MSRS",
        16,
        True,
        True,
    )
    assert machine.host(machine.protocol.on_wrmsr(machine.machine.cpus[1], STEAL, held, host_initiated=True)) is HANDLED
    assert machine.serves("steal_time", 1) == PLACE


def test_R7_a_restored_wall_clock_is_not_written(machine):
    machine.host(machine.protocol.on_wrmsr(machine.machine.cpus[0], WALL, PLACE | ENABLE, host_initiated=True))
    assert machine.serves("wall_clock") == PLACE
    assert machine.number(PLACE, U64.size) == 0


def test_R8_a_new_kernel_reads_all_slots_and_clears_what_is_enabled():
    machine = bench(MsrArray, vcpus=2, mitigations=["revoke-all"])
    for name in ("kvmclock", "wall_clock", "steal_time"):
        machine.register(name, PLACE)
    protocol, cpus = machine.protocol, machine.machine.cpus
    exits = machine.counts["exits"]
    machine.guest(protocol.revoke_all(cpus[1]), 1)
    assert machine.counts["exits"] == exits + SLOT_COUNT  # nothing of its own, and not the VM's
    assert machine.serves("wall_clock") == PLACE
    machine.guest(protocol.revoke_all(cpus[0]))
    assert machine.counts["exits"] == exits + 2 * SLOT_COUNT + 3
    assert machine.state() == []
    assert "unknown-to-guest" in failing(MsrArray, "kexec-to-silent", ["steal_time"])
    assert "unknown-to-guest" not in failing(MsrArray, "kexec-to-silent", ["steal_time"], mitigations=["revoke-all"])


def test_R8_without_the_mitigation_or_on_an_older_host_it_costs_little():
    machine = bench(MsrArray)
    machine.guest(machine.protocol.revoke_all(machine.machine.cpus[0]))
    assert machine.counts["exits"] == 0
    assert failing(MsrArray, "old-host", ["steal_time"], mitigations=["revoke-all"]) == set()


def test_R9_the_register_for_all_is_there_with_the_mitigation_alone(machine):
    assert machine.wrmsr(REVOKE_VM, 1) is FAULT
    assert machine.rdmsr(REVOKE_VM) is FAULT
    other = bench(MsrArray, mitigations=["revoke-vm"])
    other.register("steal_time", PLACE)
    assert other.wrmsr(REVOKE_VM, 2) is FAULT
    assert other.serves("steal_time") == PLACE
    assert other.rdmsr(REVOKE_VM) == 0
    assert other.wrmsr(REVOKE_VM, 1) is HANDLED
    assert other.serves("steal_time") is None
