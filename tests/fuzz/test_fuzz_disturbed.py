"""A guest's request for a token, before its vCPU's next entry: what the VMM does then is not compared by tokens."""

import pytest

from workbench.fuzz.effects import EFFECTS
from workbench.fuzz.payload import Payloads

APF_EN = 0x4B564D02
AREA = 0x3000


@pytest.fixture
def payloads():
    made = Payloads()
    made.appeared(0, 0x8000, frozenset())
    made.registered(1, APF_EN, AREA | 9, by_host=False)
    return made


def differ(payloads):
    """Tell whether it is a difference that KVM has written the token and the simulator has not."""
    real = bytes(4) + b"\xff\xff\xff\xff" + bytes(56)
    return payloads.judge(AREA, bytes(64), real, frozenset()) is not None


def test_the_token_is_compared_after_the_entry(payloads):
    assert not differ(payloads)
    payloads.entered(1)
    assert differ(payloads)


@pytest.mark.parametrize("cpu", [1, None])
def test_it_is_not_if_the_vmm_acted_before_the_entry(payloads, cpu):
    payloads.disturbed(cpu)
    payloads.entered(1)
    assert not differ(payloads)


def test_it_is_if_the_vmm_acted_on_another_vcpu_or_later(payloads):
    payloads.disturbed(0)
    payloads.entered(1)
    payloads.disturbed(None)
    assert differ(payloads)


def test_a_vmm_that_registers_asks_for_nothing_early():
    made = Payloads()
    made.appeared(0, 0x8000, frozenset())
    made.registered(1, APF_EN, AREA | 9, by_host=True)
    made.disturbed(1)
    made.entered(1)
    assert differ(made)


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
