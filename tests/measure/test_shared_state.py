"""How many vCPUs are explored when nobody says: two where a handler touches state that is not the vCPU's own."""

import json

import pytest

from workbench.cli import main
from workbench.features import choose
from workbench.measure.exploration.explore import Question
from workbench.measure.exploration.shared_state import touches_others_state
from workbench.measure.variants import variant

RACE = '''
from workbench.design import ACCEPTED, HANDLED, VM, Get, Protocol, Set, Wrmsr, area, registry

class Race(Protocol):
    name, title, msrs = "race", "one cursor for all vCPUs", frozenset({0x4B56_4D40})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        yield Wrmsr(0x4B56_4D40, gpa)
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(registry(VM, "cursor"), value)
        at = yield Get(registry(VM, "cursor"))
        yield Set(area(cpu.index, "steal_time"), at)
        return HANDLED
'''


@pytest.mark.parametrize(
    ("protocol", "feature", "is_shared"),
    [
        ("generic", "steal_time", False),
        ("generic", "wall_clock", True),
        ("per_feature", "steal_time", False),
        ("per_feature", "wall_clock", True),
        ("generic+revoke-vm", "steal_time", True),  # R19: one call for the areas of all vCPUs
        ("null", "wall_clock", False),
    ],
)
def test_shared_state_is_seen(protocol, feature, is_shared):
    assert touches_others_state(variant(protocol), choose([feature])) is is_shared
    assert Question.of(protocol, "boot", [feature]).vcpus == 1 + is_shared


def test_a_race_is_found_without_naming_the_vcpus(tmp_path, capsys):
    (tmp_path / "race.py").write_text(RACE)
    asked = ["explore", f"{tmp_path}/race.py", "--events", "boot", "--property", "F12", "--format", "json"]
    assert main(asked) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["explorations"][0]["vcpus"]) == ("FAILS", 2)
    assert main([*asked, "--vcpus", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_a_program_that_raises_is_left_to_the_exploration(tmp_path, capsys):
    (tmp_path / "race.py").write_text(RACE.replace("yield Get(", "yield cpu.nothing("))
    assert main(["explore", f"{tmp_path}/race.py", "--events", "boot"]) == 1
    assert "BROKE OFF" in capsys.readouterr().out
