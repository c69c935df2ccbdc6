"""notify, clause by clause: LoongArch's one call for every kind of area."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.design import ACCEPTED, PAGE_SIZE, REFUSED
from workbench.protocols.notify import INVALID_CODE, INVALID_PARAMETER, KVM_HCALL_FUNC_NOTIFY, SUCCESS, VALID, Notify

GPA, NOWHERE = 0x1_0000, 1 << 40
STEAL = 1 << 2


def notify(machine, data, code=STEAL):
    return machine.hypercall(KVM_HCALL_FUNC_NOTIFY, code, data)


def test_R1_one_exit_registers():
    machine = bench(Notify)
    assert machine.register("steal_time", GPA) is ACCEPTED
    assert machine.serves("steal_time") == GPA
    assert (machine.counts["exits"], machine.counts["hypercall_exits"]) == (1, 1)


@pytest.mark.parametrize(("code", "data", "answer"), [
    (STEAL, GPA | VALID, SUCCESS), (1 << 3, GPA | VALID, INVALID_CODE), (STEAL, GPA | 0x20 | VALID, INVALID_PARAMETER),
    (STEAL, GPA | 2, INVALID_PARAMETER), (2, GPA, INVALID_CODE),
])  # fmt: skip
def test_R2_the_answer_says_what_was_wrong_and_then_nothing_changes(code, data, answer):
    machine = bench(Notify)
    assert notify(machine, data, code) == answer
    assert (machine.serves("steal_time") is None) == (answer != SUCCESS)


def test_R3_an_address_without_memory_is_accepted_unless_the_call_checks():
    machine = bench(Notify)
    assert notify(machine, NOWHERE | VALID) == SUCCESS
    assert machine.serves("steal_time") == NOWHERE
    strict = bench(Notify, mitigations=("check-in-call",))
    assert notify(strict, NOWHERE | VALID) == INVALID_PARAMETER
    assert notify(strict, GPA | VALID) == SUCCESS


def test_R4_without_the_valid_bit_it_revokes():
    machine = bench(Notify)
    machine.register("steal_time", GPA)
    assert notify(machine, GPA) == SUCCESS
    assert machine.machine.entries == {}


def test_R5_an_update_without_memory_writes_nothing_and_is_tried_again():
    machine = bench(Notify)
    machine.register("steal_time", 0x20_0000)
    machine.enter()
    assert machine.serves("steal_time") == 0x20_0000
    machine.memory.add(0x20_0000, PAGE_SIZE)
    machine.enter()
    assert machine.number(0x20_0008) == 2


def test_R6_the_guest_does_not_call_for_an_area_across_two_pages():
    machine = bench(Notify)
    assert machine.register("steal_time", 2 * PAGE_SIZE - 32) is REFUSED
    assert machine.counts["exits"] == 0


def test_R7_the_guest_does_not_look_at_the_answer_unless_it_is_told_to():
    for mitigations, answer in (((), ACCEPTED), (("look-at-answer",), REFUSED)):
        assert bench(Notify, mitigations=mitigations).register("steal_time", GPA + 4) is answer
    assert "false-success" in failing(Notify, "hostile-unaligned")
    assert "false-success" not in failing(Notify, "hostile-unaligned", mitigations=("look-at-answer",))


@pytest.mark.parametrize(("data", "is_restored"), [(GPA | VALID, True), (NOWHERE | VALID, False), (GPA | 3, False)])
def test_R8_the_attribute_checks_what_the_call_does_not(data, is_restored):
    machine = bench(Notify)
    machine.host(machine.protocol.restore(tuple(machine.machine.cpus.values()), ((0, "steal_time", data),)))
    assert (machine.serves("steal_time") is not None) == is_restored
    assert sum(entry.wire_bytes for entry in machine.state()) == 8 * is_restored


def test_R9_a_reset_revokes():
    machine = bench(Notify)
    machine.register("steal_time", GPA)
    machine.init()
    assert machine.machine.entries == {}


def test_R10_a_kexec_is_clean_and_a_crash_leaves_the_other_cpus_areas():
    assert failing(Notify, "kexec") == set()
    assert "unknown-to-guest" in failing(Notify, "crash", vcpus=2)
