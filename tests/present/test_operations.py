"""Operations and replay files as steps."""

import pytest

from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.present.trial import Trial
from workbench.present.web import operation, replayed
from workbench.protocols import PROTOCOLS
from workbench.replay import find_engine, parse


@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
@pytest.mark.parametrize("feature", ["kvmclock", "steal_time", "async_pf", "pv_eoi", "poll_control"])
@pytest.mark.parametrize("what", ["register", "update", "read", "unregister"])
def test_an_operation_has_the_steps_of_a_trial(protocol, feature, what):
    trial = Trial(protocol, ["all", feature])
    trial.prepare(feature, 0x1000)
    if what != "register":
        trial.register(feature, 0x1000)
    lines = getattr(trial, what)(feature, 0x1000).lines
    data = operation(protocol, feature, what).data
    assert [step["text"].split(" -> ")[0] for step in data["steps"]] == list(lines)


def test_a_registration_shows_descriptor_area_and_host():
    data = operation("generic", "kvmclock").data
    changed = {data["items"][item]["name"] for step in data["steps"] for item, _ in step["changes"]}
    assert {"base", "version", "registry 1 of vCPU 0", "area kvmclock of vCPU 0"} <= changed


def test_an_unknown_operation():
    with pytest.raises(WorkbenchError, match=r"unknown operation 'registr'.*did you mean register"):
        operation("generic", "kvmclock", "registr")


def played(text):
    file = parse("mine.jsonl", text.encode())
    return replayed(file, find_engine("sim"), lambda name: PROTOCOLS["per_feature"](choose()), "simulated").data


STEAL = """
{"op": "ram", "gpa": "0x0", "size": "0x200000"}
{"op": "wrmsr", "msr": "0x4b564d03", "value": "0x1041", "expect": {"outcome": "HANDLED"}}
{"op": "run"}
"""


def test_a_replay_file_shows_registers_and_the_areas_that_it_registers():
    data = played(STEAL)
    assert data["ends"] == "Every expectation of the file was met."
    changed = [{data["items"][item]["name"]: text for item, text in step["changes"]} for step in data["steps"]]
    assert changed[1] == {"STEAL_TIME of vCPU 0": "0x1041"}
    assert changed[2]["version"] == "2"


def test_a_replay_file_breaks_where_the_first_expectation_is_not_met():
    data = played(STEAL.replace("HANDLED", "FAULT"))
    assert data["since"] == 2
    (said,) = data["sentences"]
    assert said.startswith("mine.jsonl:3: wrmsr cpu=0 msr=0x4b564d03 value=0x1041: outcome: expected FAULT")
    assert data["steps"][1]["text"].endswith("NOT AS EXPECTED")
