"""Lanes in the machine: a batch leaves the same state as vCPUs that run one after the other."""

from functools import partial

import pytest

from tests.engines.lane_protocols import KEPT, UNFIT, Breaks, Hidden, Own
from tests.engines.lane_runs import FEATURES, both
from workbench.core.machine import Machine
from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.engines.simulate.lanes import AtOnce
from workbench.engines.simulate.lanes.machine import FEWEST_LANES
from workbench.errors import AuthorError, WorkbenchError
from workbench.lifecycle import EVENTS
from workbench.protocols import FIRST, PROTOCOLS, Generic

HIDDEN = r"lane_protocols\.py:\d+: Hidden\.on_wrmsr: self\.calls changed during a run"


@pytest.mark.parametrize("vcpus", [1, pytest.param(17, marks=pytest.mark.slow), FEWEST_LANES + 2, 40])
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("protocol", FIRST)
def test_lanes_leave_the_machine_as_one_vcpu_after_the_other_does(protocol, event, vcpus):
    if vcpus < EVENTS[event].min_vcpus:
        vcpus = 16
    at_once, in_turn = both(PROTOCOLS[protocol], event, vcpus, seed=3)
    assert at_once == in_turn


@pytest.mark.parametrize("mitigation", [*((PROTOCOLS["generic"], m) for m in Generic.switches())], ids=str)
@pytest.mark.parametrize("event", ["boot", "kexec", "migrate", "encrypted", "suspend-resume", "init"])
def test_mitigations_too(mitigation, event):
    protocol, name = mitigation
    at_once, in_turn = both(partial(protocol, mitigations=(name,)), event, 20)
    assert at_once == in_turn


@pytest.mark.parametrize("event", ["boot", "migrate", "encrypted", "memslot-unplug", "double-registration"])
@pytest.mark.parametrize("protocol", FIRST)
def test_shipped_protocols_do_run_at_once(protocol, event, batches):
    both(PROTOCOLS[protocol], event, 40)
    assert batches.turns
    assert batches.fates
    assert all(batches.turns + batches.fates)


def test_a_trace_shows_every_vcpu_in_turn(batches):
    scenario = Scenario(Generic(FEATURES), FEATURES, vcpus=40)
    run = simulate(scenario, EVENTS["boot"], trace=True)
    assert batches == ([], [])
    assert {access.cpu for access in run.trace} == set(range(40))


@pytest.mark.parametrize("kind", UNFIT)
def test_a_protocol_that_is_not_for_lanes_gets_the_right_answer(kind, batches):
    at_once, in_turn = both(kind, "boot", 40)
    assert at_once == in_turn
    assert sum(batches.turns) < 2, "the entries may have been run at once, the boots cannot"


def test_a_protocol_that_keeps_state_in_an_attribute_is_refused():
    with pytest.raises(AuthorError, match=HIDDEN):
        both(Hidden, "boot", 40)


def test_a_users_own_protocol_runs_at_once_if_possible(batches):
    at_once, in_turn = both(Own, "boot", 40)
    assert at_once == in_turn
    assert batches.turns == [True, True]
    assert all(batches.fates)


def test_an_error_is_raised_by_the_vcpu_that_caused_it():
    with pytest.raises(WorkbenchError, match="vCPU 9"):
        both(Breaks, "boot", 40)


@pytest.mark.parametrize(
    "act",
    [
        lambda machine, cpu: cpu,
        lambda machine, cpu: (1, machine.cpus[cpu].index),
        lambda machine, cpu: machine.cpus[3].index,
        lambda machine, cpu: KEPT(base=cpu),
        lambda machine, cpu: cpu > 5,
        lambda machine, cpu: None,
    ],
)
def test_the_answers_are_those_of_each_vcpu(act):
    scenario = Scenario(Own(FEATURES), FEATURES, vcpus=40)
    machine = Machine(scenario.cpus)
    assert AtOnce(machine, scenario.protocol)(range(40), act) == [act(machine, cpu) for cpu in range(40)]
