"""Tokens: which are compared after a guest's request, an overlap, or a snapshot, and from when on again."""

import pytest

from workbench.fuzz.effects import EFFECTS
from workbench.fuzz.judging import judge
from workbench.fuzz.payload import Payloads

APF_EN, CLOCK = 0x4B564D02, 0x4B564D01
AREA, OTHER = 0x3040, 0x3080


@pytest.fixture
def payloads():
    made = Payloads()
    made.appeared(0, 0x8000, frozenset())
    made.registered(1, APF_EN, AREA | 9, by_host=False)
    return made


def differ(payloads, token=b"\xff\xff\xff\xff", gpa=AREA, ours=bytes(4)):
    """Tell whether it is a difference that KVM has this token and the simulator another."""
    return judge(payloads, gpa, bytes(4) + ours + bytes(56), bytes(4) + token + bytes(56), frozenset()) is not None


def test_until_the_entry_kvm_may_be_ahead_with_the_wake_all_alone(payloads):
    assert not differ(payloads)
    assert differ(payloads, token=b"\1\0\0\0")
    assert differ(payloads, token=bytes(4), ours=b"\xff\xff\xff\xff")
    assert payloads.explained == {"early-token": 1}
    payloads.entered(1)
    assert differ(payloads)


@pytest.mark.parametrize("cpu", [1, None])
def test_it_is_not_compared_if_the_vmm_acted_before_the_entry(payloads, cpu):
    payloads.disturbed(cpu)
    payloads.entered(1)
    assert not differ(payloads)
    assert not differ(payloads, token=b"\1\0\0\0")
    assert payloads.explained == {"token-after-vmm": 2}


def test_other_vcpus_are_compared_unless_they_share_the_area(payloads):
    payloads.registered(0, APF_EN, OTHER | 9, by_host=True)
    payloads.disturbed(1)
    payloads.entered(1)
    assert differ(payloads, gpa=OTHER)
    payloads.registered(0, APF_EN, AREA | 9, by_host=True)
    assert not differ(payloads, gpa=OTHER)


def test_it_is_compared_again_when_disabled_and_overwritten(payloads):
    payloads.disturbed(1)
    payloads.entered(1)
    payloads.registered(1, APF_EN, 0, by_host=False)
    assert not differ(payloads), "what is in memory is still the old token"
    payloads.stored(AREA, bytes(64))
    assert differ(payloads)


def test_a_register_that_cpuid_hides_is_not_disabled_by_a_zero(payloads):
    payloads.disturbed(1)
    payloads.entered(1)
    payloads.cpuid(1, frozenset(), True)
    payloads.registered(1, APF_EN, 0, by_host=True)
    payloads.stored(AREA, bytes(64))
    assert not differ(payloads)
    payloads.tokens.disabled(1, by_init=True)
    payloads.stored(AREA, bytes(64))
    assert differ(payloads)


def test_a_token_that_both_show_alike_is_compared_from_then_on(payloads):
    payloads.disturbed(1)
    payloads.entered(1)
    payloads.registered(1, APF_EN, 0, by_host=False)
    assert not differ(payloads, token=bytes(4))
    assert differ(payloads)


def test_it_is_if_the_vmm_acted_on_another_vcpu_or_later(payloads):
    payloads.disturbed(0)
    payloads.entered(1)
    payloads.disturbed(None)
    assert differ(payloads)


def test_a_store_over_the_token_before_the_entry_makes_it_uncertain(payloads):
    payloads.stored(AREA + 4, b"\5")
    payloads.entered(1)
    assert not differ(payloads)


def test_a_vmm_that_registers_asks_for_nothing_early():
    made = Payloads()
    made.appeared(0, 0x8000, frozenset())
    made.registered(1, APF_EN, AREA | 9, by_host=True)
    assert differ(made)
    made.disturbed(1)
    made.entered(1)
    assert differ(made)


@pytest.mark.parametrize(("clock", "differs"), [(AREA + 4 - 22, False), (AREA + 8, True)])
def test_tokens_are_uncertain_where_a_clock_writes_them(payloads, clock, differs):
    payloads.entered(1)
    payloads.registered(0, CLOCK, clock | 1, by_host=False)
    payloads.entered(0)
    payloads.registered(1, APF_EN, OTHER | 9, by_host=False)
    payloads.entered(1)
    assert differ(payloads, gpa=OTHER) is differs


def test_which_operations_disturb():
    arguments = {"msr": APF_EN, "entries": ((0x12, 0), (APF_EN, 0))}
    disturbing = {op for op, effect in EFFECTS.items() if effect.disturbs(arguments)}
    others = {"msr": 0x12, "entries": ((0x12, 0),)}
    by_register = {op for op in disturbing if not EFFECTS[op].disturbs(others)}
    assert by_register == {"host_set_msr", "host_set_msrs"}
    assert disturbing - by_register == {"unplug", "protect", "snapshot", "reset_in_place", "reset", "init", "migrate"}


def test_a_token_may_be_in_the_log_before_the_entry_or_in_the_next_one(payloads):
    assert AREA >> 12 not in payloads.unpromised_pages()
    payloads.log_taken()
    assert AREA >> 12 in payloads.unpromised_pages()
    payloads.entered(1)
    payloads.log_taken()
    assert AREA >> 12 not in payloads.unpromised_pages()


def clock_moved(payloads):
    """Tell whether it is a difference that KVM alone has written the clock, which both serve."""
    content = bytes([2]) + bytes(31)
    return judge(payloads, AREA, bytes(32), content, frozenset({("kvmclock", AREA)})) is not None


@pytest.mark.parametrize("away", ["unplugged", "read-only", "never"])
def test_a_clock_that_missed_its_update_may_be_written_by_kvms_own(away):
    payloads = Payloads()
    payloads.appeared(0, 0x8000, frozenset())
    if away == "unplugged":
        payloads.disappeared(0)
    elif away == "read-only":
        payloads.protected(0, True)
    payloads.registered(0, CLOCK, AREA | 1, by_host=False)
    if away == "unplugged":
        payloads.appeared(0, 0x8000, frozenset())
    payloads.protected(0, False)
    payloads.entered(0)
    assert clock_moved(payloads) is (away == "never")
