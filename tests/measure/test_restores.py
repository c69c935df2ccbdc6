"""Restores in another order, changed migration streams, and their repairs, as explored; traces confirmed on bytes."""

from pathlib import Path

import pytest

from workbench.checking.failures import FAILURES
from workbench.features import choose as choose_features
from workbench.history.broken.papr import EarlyVpa
from workbench.history.broken.restored import SwappedAsyncPf
from workbench.history.events.hostile import BadBaseThenMigration
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.explore import Question, confirm, explore_question
from workbench.measure.variants import Variant, variant

THIRD = str(Path(__file__).parents[1] / "protocols" / "data" / "third.py")
TRUSTING = "generic+carry-registry"
CHECKING = f"{TRUSTING}+validate-restore"
REORDERED, DAMAGED, WRAPPING = (EVENTS[f"migrate-{name}"] for name in ("reordered", "damaged", "wrapping"))


def explored(design, event, features, vcpus=1):
    chosen = choose_features(features.split(",")) if isinstance(features, str) else features
    return explore_question(Question(variant(design) if isinstance(design, str) else design, event, chosen, vcpus))


def failing(design, event, features, vcpus=1):
    """Return the codes that fail; check on bytes that the last step of each trace, and none before, violates them."""
    found = explored(design, event, features, vcpus)
    codes = {code for code, verdict in found.result.verdicts.items() if verdict == "FAILS"}
    assert found.result.limit is None
    for failure in (FAILURES[code] for code in sorted(codes)):
        turns = [row.turn for row in found.trace(failure) or ()]
        if turns:
            assert failure.holds(confirm(found.question, turns[:-1]))
            assert not failure.holds(confirm(found.question, turns))
    return codes


# -- in another order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("design", [TRUSTING, CHECKING, "per_feature", THIRD])
@pytest.mark.parametrize(
    ("features", "vcpus"),
    [("wall_clock,steal_time", 1), pytest.param("kvmclock,async_pf", 1, marks=pytest.mark.slow), ("steal_time", 2)],
)
def test_a_shipped_design_fails_in_reverse_what_it_fails_in_order(design, features, vcpus):
    """No shipped design depends on the order if nothing is refused."""
    found = failing(design, REORDERED, features, vcpus)
    assert found == failing(design, EVENTS["migrate"], features, vcpus) <= {"F10"}


def test_a_vmm_that_has_the_right_order_keeps_power_alive_and_another_does_not():
    """The VPA is first in the fixed VMM's list; in reverse order the log comes first and is refused."""
    fixes = ("at-least-640", "one-reg", "vpa-first")
    power, areas = Variant("early_vpa", EarlyVpa, fixes), choose_features(["vpa", "dtl"])
    assert failing(power, EVENTS["migrate"], areas) == set()
    assert failing(power, REORDERED, areas) == {"F02", "F09"}


@pytest.mark.parametrize("event", [EVENTS["migrate"], REORDERED], ids=repr)
def test_qemus_bug_of_2020_makes_another_machine_in_either_order(event):
    """The clock is restored; what follows the refused ASYNC_PF_EN in the list is not."""
    assert failing(Variant("as it was", SwappedAsyncPf), event, "kvmclock,async_pf") == {"F02", "F09"}
    assert failing(Variant("as fixed", SwappedAsyncPf, ("right-register",)), event, "kvmclock,async_pf") == set()


def test_a_shipped_register_that_keeps_a_refused_value_ends_the_restore():
    """The stream is unchanged: ASYNC_PF_EN of Linux 6.12 was refused, is carried, and is refused again."""
    event, features = BadBaseThenMigration(), "async_pf,steal_time"
    before = failing("per_feature", event, features)
    assert before == {"F02", "F04", "F09", "F16", "F18", "F23"}  # the register shows what was refused and maps nothing
    order_free = failing("per_feature+order-free-restore", event, features)
    assert before - order_free == {"F02", "F09"}
    checked = failing("per_feature+commit-after-check", event, features)
    assert not {"F02", "F16", "F18"} & checked
    # The value is right, and the address that KVM has cached is the refused one all the same (R10).
    assert checked == {"F09", "F11", "F15", "F23"}


# -- with another address -----------------------------------------------------------------------------


@pytest.mark.parametrize("vcpus", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_generic_restore_that_trusts_serves_what_the_call_refuses(vcpus):
    """``validate-restore``: an area that the guest's call would refuse is lost, and not served where no memory is."""
    assert failing(TRUSTING, DAMAGED, "steal_time", vcpus) == {"F09", "F15"}
    assert failing(TRUSTING, WRAPPING, "steal_time", vcpus) == {"F07", "F09", "F15"}
    others = {"F09"} if vcpus > 1 else set()  # the other vCPU's area is there, so the machine differs
    for event in (DAMAGED, WRAPPING):
        assert failing(CHECKING, event, "steal_time", vcpus) == {"F02"} | others


def test_to_validate_is_no_cure_for_effects():
    assert failing(CHECKING, WRAPPING, "wall_clock,steal_time") == {"F02", "F09", "F10"}
    assert failing(f"{CHECKING}+quiet-restore", WRAPPING, "wall_clock,steal_time") == {"F02", "F09"}


@pytest.mark.parametrize(
    ("features", "damaged", "wrapped"),
    [
        ("steal_time", {"F09", "F15"}, {"F02"}),  # no address is checked; bits 1 to 5 are reserved
        ("async_pf", {"F02", "F09", "F18"}, {"F02", "F09"}),  # the vector is restored, EN keeps what it refuses
        ("pv_eoi", {"F02"}, {"F02"}),
    ],
)
def test_each_register_of_linux_restores_by_the_check_of_its_own_write(features, damaged, wrapped):
    assert failing("per_feature", DAMAGED, features) - {"S02"} == damaged
    assert failing("per_feature", WRAPPING, features) - {"S02"} == wrapped


@pytest.mark.parametrize("event", [DAMAGED, WRAPPING], ids=repr)
def test_a_users_protocol_whose_restore_is_its_call_needs_nothing_more(event):
    assert failing(THIRD, event, "steal_time") == {"F02"}
