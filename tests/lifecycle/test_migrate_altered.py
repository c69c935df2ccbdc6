"""Migrations with an altered stream: what the events change, and how the protocols react."""

from collections import Counter
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.host_state import VM
from workbench.core.memory import GPA_LIMIT
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle.migrate_altered import behind_ram, displaced, wrapping
from workbench.measure.variants import variant

THIRD = str(Path(__file__).parents[1] / "protocols" / "data" / "third.py")
TRUSTING = "generic+carry-registry"
CHECKING = f"{TRUSTING}+validate-restore"
ALL = choose()
REGISTERED, LOST, SILENT = Fate.REGISTERED, Fate.LOST, Fate.SILENT


def scenario_of(name, vcpus=3, features=ALL):
    return Scenario(variant(name).protocol(features), features, vcpus=vcpus)


def run_of(name, event):
    return simulate(scenario_of(name), EVENTS[event])


def differing(name, event):
    """Return the areas whose fate differs from that in an ordinary migration."""
    plain = run_of(name, "migrate").fates
    return {area: fate for area, fate in run_of(name, event).fates.items() if fate is not plain[area]}


# -- in another order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["generic", TRUSTING, CHECKING, "per_feature", "null", THIRD])
def test_no_shipped_design_depends_on_the_order_when_nothing_is_refused(name):
    plain, reordered = run_of(name, "migrate"), run_of(name, "migrate-reordered")
    assert reordered.fates == plain.fates
    assert reordered.machine.entries == plain.machine.entries
    assert reordered.counts == plain.counts


@pytest.mark.parametrize(("event", "turn"), [("migrate", 1), ("migrate-reordered", -1)])
def test_the_order_is_reversed_within_a_vcpu_and_over_vcpus(event, turn):
    scenario = scenario_of("per_feature", vcpus=2)
    with patch.object(type(scenario.protocol), "restore", autospec=True) as restore:
        restore.side_effect = lambda protocol, cpus, saved: (step for step in ())
        simulate(scenario, EVENTS[event])
    (_, _, saved), _ = restore.call_args
    order = (0x12, 0x11, 0x4B564D06, 0x4B564D02, 0x4B564D04, 0x4B564D03, 0x4B564D05)
    assert [(cpu, msr) for cpu, msr, _ in saved] == [(cpu, msr) for cpu in (0, 1) for msr in order][::turn]


# -- with another address -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first", "damaged", "wrapped"),
    [
        (TRUSTING, (VM, "wall_clock"), SILENT, SILENT),  # served, and nothing arrives
        (CHECKING, (VM, "wall_clock"), LOST, LOST),
        # No address is checked; one that is not a multiple of 64 has reserved bits.
        ("per_feature", (0, "kvmclock"), SILENT, LOST),
        ("per_feature+order-free-restore", (0, "kvmclock"), SILENT, LOST),
        (THIRD, (VM, "wall_clock"), LOST, LOST),  # restoring is the call itself
    ],
)
def test_a_changed_address_affects_only_its_own_area(name, first, damaged, wrapped):
    assert differing(name, "migrate-damaged") == {first: damaged}
    assert differing(name, "migrate-wrapping") == {(2, "steal_time"): wrapped}


@pytest.mark.parametrize("name", ["generic", "null"])
@pytest.mark.parametrize("event", ["migrate-damaged", "migrate-wrapping"])
def test_where_nothing_is_carried_nothing_can_be_changed(name, event):
    assert differing(name, event) == {}
    assert REGISTERED not in run_of(name, event).fates.values()


def test_validating_a_restore_costs_a_guest_nothing():
    for event in ("boot", "kexec", "migrate"):
        assert run_of(CHECKING, event).fates == run_of(TRUSTING, event).fates
        assert run_of(CHECKING, event).counts["exits"] == run_of(TRUSTING, event).counts["exits"]


SCENARIO = scenario_of("generic")
AREAS = tuple(
    SCENARIO.addresses.gpa(SCENARIO.addresses.area(0, owner, feature))
    for feature in ALL
    for owner in SCENARIO.owners(feature)
)
others = st.sampled_from([0, 1, 64, 0x12, 0x4B56_4D06, 0x8000_0001, GPA_LIMIT - 1, "text", None, VM])
addresses = st.tuples(st.sampled_from(AREAS), st.integers(0, 3)).map(sum)
items = st.lists(st.one_of(others, st.tuples(others, others), st.tuples(others, addresses)), max_size=8).map(tuple)


def names_an_area(number):
    return type(number) is int and any(0 <= number - gpa < 4 for gpa in AREAS)


@given(items, st.sampled_from([behind_ram, wrapping]), st.booleans())
def test_one_address_of_a_stream_is_changed_and_its_control_bits_are_kept(saved, elsewhere, first):
    changed = displaced(SCENARIO, saved, elsewhere, first=first)
    named = [at for at, item in enumerate(saved) if type(item) is tuple and names_an_area(item[1])]
    named = named[:1] if first else named[-1:]
    assert [at for at, (old, new) in enumerate(zip(saved, changed, strict=True)) if old != new] == named
    if named:
        (owner, old), (same, new) = saved[named[0]], changed[named[0]]
        assert owner == same
        unit = SCENARIO.addresses.unit_at(old)
        assert new - elsewhere(SCENARIO, unit) == old - SCENARIO.addresses.gpa(unit)
        end = new + SCENARIO.addresses.size(unit.what)
        assert end > GPA_LIMIT if elsewhere is wrapping else SCENARIO.addresses.memslot(2) < end < GPA_LIMIT


def test_a_descriptor_is_no_area():
    saved = ((0, SCENARIO.cpu(0).descriptor),)
    assert displaced(SCENARIO, saved, behind_ram) == saved


def test_the_two_changes_name_what_no_guest_may_register():
    """The generic host refuses a guest's call with the same addresses, so a restore should refuse them too."""
    for hostile in ("hostile-bad-base", "hostile-wrap"):
        assert Counter(run_of("generic", hostile).fates.values())[Fate.REFUSED] > 0
    assert simulate(scenario_of(TRUSTING), EVENTS["migrate-wrapping"]).counts["host_writes_failed"] > 0
    assert simulate(scenario_of(CHECKING), EVENTS["migrate-wrapping"]).counts["host_writes_failed"] == 0
