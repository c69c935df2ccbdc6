"""command_block, clause by clause: the call of 2011 without its two faults. What it shares is in test_slots.py."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.design import ACCEPTED, REFUSED
from workbench.protocols._slots import EINVAL, SLOTS
from workbench.protocols.command_block import BLOCK, EVERYTHING, KVM_HC_REGISTER_AREA, CommandBlock
from workbench.protocols.generic import EFAULT

GPA, NOWHERE, ARGUMENT = 0x1_0000, 1 << 40, 0x5000
STEAL = SLOTS.index("steal_time") + 1


@pytest.fixture
def machine():
    return bench(CommandBlock, vcpus=2)


def call(machine, base=GPA, size=64, kind=STEAL, flags=0, at=ARGUMENT):
    if at == ARGUMENT:
        machine.memory.store(at, BLOCK(base=base, size=size, type=kind, flags=flags).pack())
    return machine.hypercall(KVM_HC_REGISTER_AREA, at)


def test_R1_one_exit_and_the_answer_is_in_a_register(machine):
    assert machine.register("steal_time", GPA) is ACCEPTED
    assert (machine.counts["exits"], machine.serves("steal_time")) == (1, GPA)


def test_R2_the_block_is_read_once_and_neither_kept_nor_written(machine):
    call(machine)
    assert machine.memory.load(ARGUMENT, 24) == BLOCK(base=GPA, size=64, type=STEAL).pack()
    machine.memory.store(ARGUMENT, bytes(24))
    machine.enter()
    assert machine.serves("steal_time") == GPA
    assert failing(CommandBlock, "descriptor-race", ["steal_time"], 2) == set()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"at": NOWHERE}, -EFAULT), ({"kind": 99}, -EINVAL), ({"kind": 0}, -EINVAL), ({"flags": 1}, -EINVAL),
        ({"size": 63}, -EINVAL), ({"size": 65}, 0),
    ],
)  # fmt: skip
def test_R3_each_fault_has_its_errno(machine, asked, answer):
    assert call(machine, **asked) == answer
    assert (machine.serves("steal_time") is None) == (answer != 0)


@pytest.mark.parametrize(("base", "answer"), [(NOWHERE, -EFAULT), ((1 << 64) - 32, -EINVAL), (GPA + 8, -EINVAL)])
def test_R4_the_address_is_checked_and_nothing_changes(machine, base, answer):
    assert call(machine, base) == answer
    assert machine.machine.entries == {}


def test_R5_size_0_revokes_and_the_guest_looks(machine):
    machine.register("steal_time", GPA)
    assert machine.unregister("steal_time", GPA) is ACCEPTED
    assert machine.serves("steal_time") is None
    assert machine.register("steal_time", NOWHERE) is REFUSED


def test_R6_eight_bytes_for_each_slot(machine):
    machine.register("steal_time", GPA)
    assert [(entry.wire_bytes, entry.interface) for entry in machine.state()] == [(8, "KVM_SET_ONE_REG")]
    machine.migrate()
    assert machine.serves("steal_time") == GPA
    assert failing(CommandBlock, "migrate", ["steal_time"]) == set()


def test_R7_one_call_revokes_for_all_if_there_is_one(machine):
    assert call(machine, 0, 0, EVERYTHING) == -EINVAL
    strict = bench(CommandBlock, mitigations=("revoke-vm",), vcpus=2)
    strict.register("steal_time", GPA, 1)
    assert call(strict, 0, 0, EVERYTHING) == 0
    assert strict.serves("steal_time", 1) is None


def test_R8_a_private_block_cannot_be_read():
    encrypted = bench(CommandBlock, encrypted=True)
    assert encrypted.register("steal_time", GPA) is REFUSED
