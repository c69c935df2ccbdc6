"""diag258, clause by clause: the block is a command, and a token that is set is not replaced."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.design import ACCEPTED, REFUSED, registry
from workbench.protocols.diag258 import (
    ADDRESSING,
    ALREADY_SET,
    BLOCK,
    CANCEL,
    DIAG,
    ESTABLISH,
    MASK,
    NONE_SET,
    OK,
    RESERVED,
    SPECIFICATION,
    Diag258,
)

TOKEN, AT = 0x1_0000, 0x3_0000


@pytest.fixture
def machine():
    return bench(Diag258, vcpus=2)


def call(machine, at=AT, **fields):
    given = {"refdiagc": DIAG, "refdwlen": 5, "refversn": 2, "reffcode": ESTABLISH, "refgaddr": TOKEN, "refselmk": MASK,
             "refcmpmk": MASK, "reserved": RESERVED} | fields  # fmt: skip
    machine.memory.store(AT, BLOCK(**given).pack())
    return machine.hypercall(DIAG, at)


def cancel(machine, **fields):
    nothing = {"refgaddr": 0, "refselmk": 0, "refcmpmk": 0, "reserved": 0} | fields
    return call(machine, reffcode=CANCEL, **nothing)


def test_R1_one_exit_for_the_cpu_itself(machine):
    assert machine.register("pfault_token", TOKEN, cpu=1) is ACCEPTED
    assert machine.counts["exits"] == machine.counts["hypercall_exits"] == 1
    assert (machine.serves("pfault_token", 0), machine.serves("pfault_token", 1)) == (None, TOKEN)


@pytest.mark.parametrize("fields", [{"at": AT + 4}, {"refversn": 1}, {"refdwlen": 4}, {"refdiagc": 0x260}])
def test_R2_a_malformed_block_is_an_interruption(machine, fields):
    assert call(machine, **fields) == SPECIFICATION
    assert machine.hypercall(DIAG, 1 << 40) == ADDRESSING
    assert machine.machine.entries == {}


def test_R2_more_doublewords_are_no_fault(machine):
    assert call(machine, refdwlen=6) == OK


def test_R3_a_token_that_is_set_is_not_replaced(machine):
    assert call(machine) == OK
    assert call(machine, refgaddr=0x2_0000) == ALREADY_SET
    assert call(machine, refgaddr=4) == ALREADY_SET  # looked at first
    assert machine.serves("pfault_token") == TOKEN


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"refgaddr": TOKEN + 4}, SPECIFICATION), ({"refselmk": 0}, SPECIFICATION), ({"reserved": 0}, SPECIFICATION),
        ({"refgaddr": 1 << 40}, ADDRESSING), ({"refcmpmk": 0}, OK),
    ],
)  # fmt: skip
def test_R4_masks_and_address_are_checked(machine, fields, answer):
    assert call(machine, **fields) == answer
    assert bool(machine.machine.entries) is (answer == OK)


def test_R5_the_block_is_read_once_and_forgotten(machine):
    call(machine)
    assert machine.machine.entries[registry(0, "pfault_token")] == (TOKEN, MASK, MASK)
    machine.memory.store(AT, bytes(40))
    assert machine.serves("pfault_token") == TOKEN
    assert not {"double-fetch", "old-area-live"} & failing(Diag258, "descriptor-race", vcpus=2)


def test_R6_sub_code_1_cancels(machine):
    assert cancel(machine) == NONE_SET
    call(machine)
    for field in ("refgaddr", "refselmk", "refcmpmk", "reserved"):
        assert cancel(machine, **{field: 8}) == SPECIFICATION
    assert cancel(machine) == OK
    assert machine.serves("pfault_token") is None


def test_R7_other_sub_codes_go_to_the_vmm(machine):
    assert call(machine, reffcode=2) == SPECIFICATION
    assert machine.counts["user_exits"] == 1


def test_R8_the_host_never_writes_there():
    for event in ("boot", "kexec-no-teardown", "cpu-unplug-no-teardown"):
        assert "stray-write" not in failing(Diag258, event)
    assert failing(Diag258, "boot") == {"payload-arrives"}


def test_R9_a_reset_cancels(machine):
    call(machine)
    machine.init()
    assert machine.machine.entries == {}


def test_R10_three_values_that_a_restore_does_not_check(machine):
    call(machine)
    assert [(entry.name, entry.wire_bytes) for entry in machine.state()] == [
        ("pfault token", 8), ("pfault select", 8), ("pfault compare", 8),
    ]  # fmt: skip
    assert machine.migrate() == ((0, "pfault_token", (TOKEN, MASK, MASK)),)
    assert machine.serves("pfault_token") == TOKEN
    wrong = ((0, "pfault_token", (1 << 40, MASK, MASK)),)
    for mitigations, served in (((), 1 << 40), (("validate-restore",), None)):
        other = bench(Diag258, mitigations=mitigations)
        other.host(other.protocol.restore(tuple(other.machine.cpus.values()), wrong))
        assert other.serves("pfault_token") == served
    assert "restore-differs" in failing(Diag258, "migrate-damaged")
    assert "restore-differs" not in failing(Diag258, "migrate-damaged", mitigations=["validate-restore"])


def test_R11_the_guest_goes_without_where_the_answer_is_not_0(machine):
    assert machine.register("pfault_token", 1 << 40) is REFUSED
    assert machine.register("pfault_token", TOKEN) is ACCEPTED
    assert machine.register("pfault_token", 0x2_0000) is REFUSED
    assert machine.unregister("pfault_token", TOKEN) is ACCEPTED
    assert machine.unregister("pfault_token", TOKEN) is ACCEPTED
    assert failing(Diag258, "cpu-unplug") == failing(Diag258, "kexec") == {"payload-arrives"}


def test_R12_a_token_left_behind_keeps_the_next_kernel_out():
    assert "unknown-to-guest" in failing(Diag258, "kexec-no-teardown")
    assert failing(Diag258, "kexec-no-teardown", mitigations=["cancel-first"]) == {"payload-arrives"}
