"""Parts that only make runs faster can be removed: no other module uses their internals, and no result changes."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "compare"
MAKE = runpy.run_path(str(GOLDEN / "make.py"))

#: Replaces such a part: an empty module, from which only its entry function can be imported, which declines.
WITHOUT_LANES = """
import sys, types

def one_after_the_other(machine, protocol):
    from workbench.engines.simulate.turns import in_turn
    return in_turn(machine)

box = types.ModuleType("workbench.engines.simulate.lanes")
box.AtOnce = one_after_the_other
sys.modules[box.__name__] = box
"""
WITHOUT_SYMMETRY = """
import sys, types

def declines(space):
    from workbench.engines.explore.model import SymmetryError
    raise SymmetryError("the box is empty")

box = types.ModuleType("workbench.engines.explore.symmetry")
box.SymmetryReduction = declines
sys.modules[box.__name__] = box
"""
WITHOUT_EXCHANGES = """
import sys, types
box = types.ModuleType("workbench.engines.explore.vm.symmetry")
box.explore_exchanging = lambda machine, options: None
sys.modules[box.__name__] = box
"""
RUN = """
from workbench.cli import main
sys.exit(main(sys.argv[1:]))
"""


def printed(*command, without="import sys"):
    done = subprocess.run(
        [sys.executable, "-c", without + RUN, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_without_lanes_all_numbers_are_the_same():
    command = ("compare", "--vcpus", "20", "--protocols", "generic,per_feature,null", "--format", "csv")
    assert printed(*command, without=WITHOUT_LANES) == printed(*command)


def test_without_lanes_the_golden_table_is_the_same():
    assert printed(*MAKE["COMMAND"], without=WITHOUT_LANES) == (GOLDEN / "compare.txt").read_text()


SMALL = ("--vcpus", "2", "--features", "steal_time", "--updates", "0", "--format", "json")


@pytest.mark.parametrize(
    ("protocol", "events", "without"),
    [
        pytest.param("generic", "boot,migrate", WITHOUT_SYMMETRY, marks=pytest.mark.slow),
        ("per_feature", "kexec,crash", WITHOUT_EXCHANGES),
    ],
    ids=["of-models", "of-machines"],
)
def test_without_symmetry_the_explorations_are_those_of_all_states(protocol, events, without):
    command = ("explore", protocol, "--events", events, *SMALL)
    every = json.loads(printed(*command))["explorations"]
    declined = json.loads(printed(*command, "--symmetry", without=without))["explorations"]
    merged = json.loads(printed(*command, "--symmetry"))["explorations"]
    assert [one.pop("interchangeable") for one in declined] == [[], []]
    assert [timeless(one) for one in declined] == [timeless(one) for one in every]
    assert [one["verdicts"] for one in merged] == [one["verdicts"] for one in every]
    assert merged[0]["states"] < every[0]["states"]


def timeless(exploration):
    return {name: value for name, value in exploration.items() if name not in ("seconds", "stands_for")}
