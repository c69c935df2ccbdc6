"""Restores in another order and of changed streams, between two VMs of this host's KVM, as the simulator says."""

from dataclasses import replace
from pathlib import Path

import pytest
from pv_msrs import ASYNC_PF_EN, ASYNC_PF_INT, POLL_CONTROL, PV_EOI_EN, STEAL_TIME, SYSTEM_TIME, WALL_CLOCK

from workbench.core.scenario import Scenario
from workbench.engines.kvm import state
from workbench.engines.kvm.engine import run_on_kvm
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.migration import items_of, state_of
from workbench.engines.kvm.state import Loaded
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.history.events.hostile import BadBaseThenMigration
from workbench.lifecycle import EVENTS
from workbench.measure.variants import variant

pytestmark = pytest.mark.kvm
ALL = choose()
THIRD = str(Path(__file__).parents[1] / "protocols" / "data" / "third.py")
ORDER = (SYSTEM_TIME, WALL_CLOCK, ASYNC_PF_INT, ASYNC_PF_EN, PV_EOI_EN, STEAL_TIME, POLL_CONTROL)
GOOD = {SYSTEM_TIME: 0x3001, WALL_CLOCK: 0x4000, ASYNC_PF_INT: 0xF3, ASYNC_PF_EN: 0x5009, PV_EOI_EN: 0x6001,
        STEAL_TIME: 0x7001, POLL_CONTROL: 0}  # fmt: skip
NOWHERE = 0x3000_0000
NOTHING = Loaded((), ())


def scenario_of(name, vcpus=3):
    return Scenario(variant(name).protocol(ALL), ALL, vcpus=vcpus)


@pytest.mark.parametrize("event", ["migrate-reordered", "migrate-damaged", "migrate-wrapping"])
@pytest.mark.parametrize(
    "name",
    ["generic", "generic+carry-registry", "generic+carry-registry+validate-restore", "per_feature", "null", THIRD],
    ids=lambda name: Path(name).stem,
)
def test_what_becomes_of_the_areas_is_what_the_simulator_says(name, event):
    found = run_on_kvm(scenario_of(name), EVENTS[event])
    assert found.fates == simulate(scenario_of(name), EVENTS[event]).fates


def test_which_register_kvm_refuses_in_a_changed_stream():
    """No address of STEAL_TIME is refused; half an area before 2^64 it has reserved bits, and what follows is lost."""
    loaded = {
        event: run_on_kvm(scenario_of("per_feature"), EVENTS[event]).loaded
        for event in ("migrate-reordered", "migrate-damaged", "migrate-wrapping")
    }
    assert loaded["migrate-reordered"] == loaded["migrate-damaged"] == (NOTHING,) * 3
    assert loaded["migrate-wrapping"] == (NOTHING, NOTHING, Loaded((STEAL_TIME,), (POLL_CONTROL,)))


def test_a_value_that_kvm_has_refused_and_kept_ends_the_restore():
    """ASYNC_PF_EN in Linux 6.12 to 6.18; a KVM that checks before it keeps the value has nothing to refuse."""
    first, *others = run_on_kvm(scenario_of("per_feature"), BadBaseThenMigration()).loaded
    assert others == [NOTHING, NOTHING]
    assert first in (Loaded((ASYNC_PF_EN,), (PV_EOI_EN, STEAL_TIME, POLL_CONTROL)), NOTHING)


# -- the list reversed, by hand ---------------------------------------------------------------------------


def after_restore(values, turn):
    """Save a guest of two vCPUs with these registers on the second, restore its items by ``turn``; what reads where."""
    with Guest(2) as source, Guest(2) as target:
        source.call(1, lambda: source.vcpu(1).set_msrs(GOOD))
        saved = state.save(source)
        first, second = saved.vcpus
        changed = replace(saved, vcpus=(first, replace(second, pv_msrs=tuple(values.items()))))
        step = state_of(items_of(changed, ())[::turn])
        loaded = state.load(target, step.state, order=step.order)
        kept = target.call(1, lambda: target.vcpu(1).get_msrs(ORDER))
        return step.order, loaded[1], dict(zip(ORDER, kept, strict=True))


@pytest.mark.parametrize(("turn", "order"), [(1, (0, 1)), (-1, (1, 0))])
def test_kvm_takes_its_own_list_in_either_order(turn, order):
    assert tuple(GOOD) == ORDER == state.PV_ORDER
    assert after_restore(GOOD, turn) == (order, NOTHING, GOOD)


@pytest.mark.parametrize(
    ("turn", "lost"),
    [(1, (PV_EOI_EN, STEAL_TIME, POLL_CONTROL)), (-1, (ASYNC_PF_INT, WALL_CLOCK, SYSTEM_TIME))],
)
def test_what_a_refused_entry_costs_depends_on_the_order(turn, lost):
    values = GOOD | {ASYNC_PF_EN: NOWHERE | 9}
    _, loaded, kept = after_restore(values, turn)
    assert loaded == Loaded((ASYNC_PF_EN,), lost)
    # The wall clock is the VM's: the other vCPU's list carries it as well. The refused value may be kept or not.
    assert {msr for msr in ORDER if kept[msr] != values[msr]} - {ASYNC_PF_EN} == set(lost) - {WALL_CLOCK}
