"""A recording: the steps of a trace, and what each changes in memory, host and guest."""

import pytest

from workbench.checking.failures import FAILURES
from workbench.core.step_text import key_text, value_text
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.measure.exploration import recording
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.items import GUEST, HOST, MEMORY, Item
from workbench.measure.exploration.recording import of_finding, of_run


def found(protocol, event, features, code, vcpus=None):
    failure = FAILURES[code]
    return of_finding(explore_question(Question.of(protocol, event, features, vcpus), [failure]), failure)


def after(recorded, step):
    state = dict(recorded.start)
    for changes in recorded.changes[:step]:
        state |= changes
    return state


def test_the_fields_of_a_descriptor_change_with_the_step_that_stores_them():
    race = found("generic", "descriptor-race", ["wall_clock"], "F05", 2)
    (base,) = [item for item in race.start if item.name == "base"]
    assert base.group == MEMORY
    assert base.of == "kvm_memory_area at 0x101000: descriptor of vCPU 0"
    texts = [after(race, step)[base] for step in range(len(race.rows) + 1)]
    assert texts[0] == "0"
    assert texts[1] == "0x100018"  # the guest's own store
    assert texts[5:] == ["0x100018", "0x106000", "0x106000"]  # the other vCPU's, between the host's two loads


def test_a_new_host_holds_nothing_and_the_guest_goes_on_believing():
    lost = found("generic", "migrate", ["steal_time"], "F02")
    at = lost.ending.since
    assert lost.rows[at - 1].text == "new host"
    entry = Item(HOST, "", "registry 5 of vCPU 0")
    belief = Item(GUEST, "", "steal_time of vCPU 0 is registered at")
    assert (after(lost, at - 1)[entry], after(lost, at)[entry]) == ("(0x101040, 64)", "nothing")
    assert after(lost, len(lost.rows))[belief] == "0x101040"


def test_every_change_is_from_another_text_and_of_a_known_item():
    stray = found("generic", "kexec-no-teardown", ["steal_time"], "F01")
    for recorded in (stray, of_run(Question.of("per_feature", "kexec"))):
        assert len(recorded.changes) == len(recorded.rows)
        state = dict(recorded.start)
        for changes in recorded.changes:
            assert all(state[item] != text for item, text in changes.items())
            state |= changes


def test_a_schedule_of_one_after_the_other_ends_where_the_simulator_ends():
    """The same registers and areas as after the simulated event, by another engine."""
    question = Question.of("per_feature", "migrate", ["kvmclock", "steal_time"], 2)
    recorded = of_run(question)
    run = simulate(question.scenario, question.event)
    held = {item.name: text for item, text in after(recorded, len(recorded.rows)).items() if text != "nothing"}
    for key, value in run.machine.entries.items():
        if key.kind in ("register", "area"):
            assert held[key_text(key)] == value_text(value)


def test_memory_that_is_gone_is_said_to_be_gone():
    unplugged = found("generic", "memslot-unplug", ["steal_time"], "F11")
    assert "gone" in {text for changes in unplugged.changes for text in changes.values()}


def test_a_schedule_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(recording, "MOST_STEPS", 10)
    with pytest.raises(WorkbenchError, match="more than 10 steps; ask for fewer vCPUs"):
        of_run(Question.of("generic", "boot", ["steal_time"], 2))


def test_a_restore_that_differs_names_the_entries_that_do():
    restored = found("per_feature", "migrate-damaged", ["async_pf"], "F09")
    told = [text for row in restored.rows for text in recording.occurrences(row)]
    assert [text for text in told if "after the restore the host held something else: area async_pf of vCPU 0" in text]
