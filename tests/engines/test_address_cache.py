"""A refused address spoils what KVM's cache holds until memslots change: the same in simulator, explorer and replay."""

from collections import Counter

import pytest

from workbench.checking.failures import FAILURES
from workbench.core.event_steps import AddMemslot, DeleteMemslot, MoveMemslot
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle.double import DoubleRegistrationRefused
from workbench.lifecycle.event import enter_all
from workbench.measure.exploration.explore import Question, confirm, explore_question
from workbench.measure.variants import variant
from workbench.protocols import PerFeature

FAR = 0x4000_0000


class RefusedThenChanged(DoubleRegistrationRefused):
    """Registered again where no RAM is; then memslots change that hold nothing of the guest's."""

    name = "refused-then-changed"
    title = "refused, then memslots change"
    changes = (AddMemslot(FAR, PAGE_SIZE),)

    def happen(self, scenario):
        yield from super().happen(scenario)
        yield from self.changes
        yield from enter_all(scenario)


class RefusedThenMoved(RefusedThenChanged):
    """The same, with three changes."""

    name = "refused-then-moved"
    changes = (AddMemslot(FAR, PAGE_SIZE), MoveMemslot(FAR, 2 * FAR), DeleteMemslot(2 * FAR))


def fates(event, feature):
    features = choose([feature])
    run = simulate(Scenario(PerFeature(features), features, 1), event)
    return Counter(run.fates.values())


@pytest.mark.parametrize("feature", ["pv_eoi", "async_pf"])
@pytest.mark.parametrize("event", [RefusedThenChanged(), RefusedThenMoved()])
def test_the_simulator_serves_the_old_area_again(event, feature):
    assert fates(DoubleRegistrationRefused(), feature) == {Fate.LOST: 1}
    assert fates(event, feature) == {Fate.STALE: 1}


@pytest.mark.parametrize("feature", ["pv_eoi", "async_pf"])
@pytest.mark.parametrize("event", [RefusedThenChanged(), RefusedThenMoved()])
def test_the_explorer_finds_it_and_bytes_confirm_it(event, feature):
    question = Question(variant("per_feature"), event, choose([feature]), 1)
    failures = [FAILURES["F01"], FAILURES["F15"]]
    exploration = explore_question(question, failures)
    for failure in failures:
        turns = [row.turn for row in exploration.trace(failure)]
        assert failure.holds(confirm(question, turns[:-1]))
        assert not failure.holds(confirm(question, turns))


def test_steal_time_looks_its_address_up_at_every_update():
    assert fates(RefusedThenChanged(), "steal_time") == fates(DoubleRegistrationRefused(), "steal_time")
