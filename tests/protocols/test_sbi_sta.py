"""sbi_sta, clause by clause: RISC-V's set_shmem convention for steal time."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.design import ACCEPTED, REFUSED, registry
from workbench.protocols.sbi_sta import ALL_ONES, EXT_STA, INVALID_ADDRESS, INVALID_PARAM, SUCCESS, SbiSta

GPA, NOWHERE = 0x1_0000, 1 << 40


@pytest.fixture
def machine():
    return bench(SbiSta)


def set_shmem(machine, low, high=0, flags=0):
    error, _ = machine.hypercall(EXT_STA, low, high, flags)
    return error


def restored(machine, gpa):
    machine.host(machine.protocol.restore(tuple(machine.machine.cpus.values()), ((0, "sbi_sta", gpa),)))
    return machine.serves("sbi_sta")


def test_R1_one_exit_registers_for_the_hart_itself():
    machine = bench(SbiSta, vcpus=2)
    assert machine.register("sbi_sta", GPA, 1) is ACCEPTED
    assert (machine.serves("sbi_sta", 0), machine.serves("sbi_sta", 1)) == (None, GPA)
    assert machine.counts["exits"] == 1


@pytest.mark.parametrize(("asked", "error"), [
    ((GPA, 0, 1), INVALID_PARAM), ((GPA + 8, 0, 0), INVALID_PARAM), ((GPA, 1, 0), INVALID_ADDRESS),
    ((NOWHERE, 0, 0), INVALID_ADDRESS), ((ALL_ONES, 0, 0), INVALID_PARAM), ((GPA, 0, 0), SUCCESS),
])  # fmt: skip
def test_R2_each_error_has_its_code_and_changes_nothing(machine, asked, error):
    assert set_shmem(machine, *asked) == error
    assert (machine.serves("sbi_sta") is None) == (error != SUCCESS)


def test_R3_all_ones_revokes(machine):
    machine.register("sbi_sta", GPA)
    assert set_shmem(machine, ALL_ONES, ALL_ONES) == SUCCESS
    assert machine.machine.entries == {}


def test_R4_the_area_is_zeroed_before_the_answer(machine):
    machine.memory.store(GPA, b"\xff" * 64)
    machine.register("sbi_sta", GPA)
    assert machine.memory.load(GPA, 64) == bytes(64)


def test_R5_an_update_without_memory_ends_the_registration(machine):
    machine.register("sbi_sta", GPA)
    machine.memory.delete(0)
    machine.enter()
    assert machine.machine.entries == {}
    assert "lost-registration" in failing(SbiSta, "memslot-unplug")


def test_R6_a_reset_revokes(machine):
    machine.register("sbi_sta", GPA)
    machine.init()
    assert registry(0, "sbi_sta") not in machine.machine.entries


def test_R7_the_guest_knows_when_it_is_refused(machine):
    assert machine.register("sbi_sta", NOWHERE) is REFUSED
    assert failing(SbiSta, "hostile-bad-base") == set()


def test_R8_a_restore_checks_the_alignment_does_not_zero_and_by_mitigation_checks_all(machine):
    assert restored(machine, GPA + 4) is None
    assert restored(machine, NOWHERE) == NOWHERE
    machine.memory.store(GPA, b"\x02")
    assert restored(machine, GPA) == GPA
    assert machine.number(GPA, 1) == 2
    assert sum(entry.wire_bytes for entry in machine.state()) == 16
    assert restored(bench(SbiSta, mitigations=("validate-restore",)), NOWHERE) is None


def test_R9_a_kernel_that_goes_revokes():
    assert failing(SbiSta, "kexec") == set()
    assert "stray-write" in failing(SbiSta, "kexec-no-teardown")
