"""The student as the scheduler: picks are steps of the simulator, and what cannot be picked is told."""

import pytest

from workbench.checking.failures import choose
from workbench.classroom.scheduler import MOST_PICKS, Scheduler
from workbench.classroom.scheduler_panel import TO_THE_END, SchedulerPanel
from workbench.core.slots import EVENT
from workbench.errors import WorkbenchError
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.recording import one_after_the_other

RACE = Question.of("generic", "descriptor-race", ["steal_time"], 2)
(DOUBLE_FETCH,) = choose(["double-fetch"])
FETCHED_TWICE = [*["vcpu0"] * 5, "event", "vcpu1", "vcpu0"]


def picks_of(run):
    return [choice.pick for choice in run.may()]


def test_the_explorers_trace_can_be_picked_step_by_step():
    trace = explore_question(RACE, (DOUBLE_FETCH,)).trace(DOUBLE_FETCH)
    run = Scheduler(RACE)
    for row in trace:
        taken = run.take(str(row.actor))
        assert taken.turn == row.turn
    assert not DOUBLE_FETCH.holds(run.machine)
    assert "double fetch: generic under descriptor-race" in run.text(DOUBLE_FETCH)


@pytest.mark.parametrize("event", ["migrate", "kexec", "init", "cpu-hotplug"])
@pytest.mark.parametrize("design", ["generic", "per_feature"])
def test_whatever_may_step_can_step_and_the_run_ends(design, event):
    """The first of those who need not wait, until nobody is left but entries, which may begin at any time."""
    run = Scheduler(Question.of(design, event, ["steal_time"], 2))
    for _ in range(MOST_PICKS):
        able = [choice for choice in run.may() if not choice.waits and not choice.said.startswith("KVM begins")]
        if not able:
            break
        assert run.take(able[0].pick) == able[0].row
    assert run.machine.at_rest()
    assert run.rows[-1].side != "event" or run.rows[-1].actor == EVENT


def test_one_after_the_other_is_one_schedule_of_many():
    rows = list(one_after_the_other(RACE))
    run = Scheduler(RACE, [str(row.actor) for row in rows])
    assert [row.turn for row in run.rows] == [row.turn for row in rows]
    assert DOUBLE_FETCH.holds(run.machine)


def test_each_of_several_vcpus_is_picked_by_its_number():
    run = Scheduler(Question.of("per_feature", "kexec", ["steal_time"], 2))
    while not any(pick.startswith("event ") for pick in picks_of(run)):
        run.take(next(choice.pick for choice in run.may() if not choice.waits))
    both = [pick for pick in picks_of(run) if pick.startswith("event ")]
    assert both == ["event 0", "event 1"]
    assert run.take("event 1").step.cpu == 1


def test_who_has_to_wait_is_listed_with_the_reason():
    run = Scheduler(RACE, FETCHED_TWICE[:6])
    waiting = {choice.pick: choice.waits for choice in run.may()}
    assert waiting == {"vcpu0": "", "vcpu1": "", "event": "vCPU 0 is not at an instruction boundary of its guest"}
    with pytest.raises(WorkbenchError, match=r"step 7: event has to wait, because vCPU 0 .*now may step: vcpu0 \("):
        run.take("event")
    assert run.picks == FETCHED_TWICE[:6], "what cannot be taken changes nothing"
    assert run.take("vcpu1").cpu == 1


@pytest.mark.parametrize(
    ("picks", "told"),
    [
        (["vcpu1"], "step 1: vcpu1 has nothing to do; now may step: vcpu0 (store kvm_steal_time"),
        (["vcpu0", "vcpu2"], "step 2: 'vcpu2' is nobody who steps; did you mean vcpu0, vcpu1?"),
        (["entry0"], "step 1: entry0 has no step now"),
        ([None], "step 1: None is nobody who steps; those who step: vcpu0, vcpu1, event, entry0, entry1"),
        ([["vcpu0"]], "step 1: ['vcpu0'] is nobody who steps"),
        (["vcpu0"] * (MOST_PICKS + 1), f"the schedule has {MOST_PICKS + 1} steps"),
    ],
)
def test_a_wrong_pick_is_told_with_those_who_may(picks, told):
    with pytest.raises(WorkbenchError) as caught:
        Scheduler(RACE, picks)
    assert str(caught.value).startswith(told)


# -- the panel ---------------------------------------------------------------------------------------------


def click(panel, pick):
    (button,) = [one for one in panel.choices.children if one.description.startswith(f"{pick}  ")]
    assert not button.disabled
    button.click()


def test_clicks_are_picks_and_the_panel_says_when_it_has_happened():
    panel = SchedulerPanel()
    assert "no step has been taken" in repr(panel)
    for pick in FETCHED_TWICE:
        assert "not yet" in panel.state.value
        click(panel, pick)
    assert panel.schedule == FETCHED_TWICE
    assert "it has happened" in panel.state.value
    assert panel.as_python() == f"answer = {FETCHED_TWICE!r}"
    assert "8!" in repr(panel)
    (output,) = panel.shown.outputs
    assert TO_THE_END in output["data"]["text/html"]
    assert TO_THE_END not in panel.drawing
    assert SchedulerPanel(schedule=FETCHED_TWICE).drawing == panel.drawing


def test_steps_can_be_taken_back():
    panel = SchedulerPanel(schedule=FETCHED_TWICE)
    panel.back.click()
    assert panel.schedule == FETCHED_TWICE[:-1]
    assert "not yet" in panel.state.value
    panel.again.click()
    assert panel.schedule == []
    assert panel.back.disabled
    assert panel.again.disabled


def test_who_waits_cannot_be_clicked_and_says_why():
    panel = SchedulerPanel(schedule=FETCHED_TWICE[:6])
    (waiting,) = [one for one in panel.choices.children if one.disabled]
    assert waiting.description.startswith("event  ")
    assert "instruction boundary" in waiting.tooltip
