"""The engine out of core: the same counts, verdicts and traces; little memory; nothing left in its directory."""

import subprocess
import sys

import pytest

from benchmarks.models.generic import generic
from tests.house.imports import ROOT
from workbench.cli import main
from workbench.engines.explore import Model, Rule, explore

#: Explores P-2-3, 1.6e7 states, with LIMIT bytes of address space, and prints what was found or MemoryError.
LIMITED = """
import resource, sys
from benchmarks.models.per_feature import per_feature
from workbench.engines.explore import explore
tables, limit = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    found = explore(per_feature(2, 3), tables=tables)
    print(found.states, found.transitions, found.hits["ANY"])
except MemoryError:
    print("MemoryError")
"""


def seen(result):
    traces = [[str(step) for step in finding.trace.steps] for finding in result.findings if finding.trace]
    return result.states, result.transitions, result.depth, result.verdicts, result.hits, traces


def test_the_same_as_in_memory(tmp_path):
    on_disk = explore(generic(2, 1), disk=tmp_path)
    assert on_disk.engine == "disk"
    assert seen(on_disk) == seen(explore(generic(2, 1), tables="numpy"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_fields_that_grow_while_states_are_in_files(tmp_path):
    def grow(view):
        view["n"] = (view["n"] + 1) % 40

    def late(view):
        if view["n"] == 39:
            view["late"] = view["m"]

    def turn(view):
        view["m"] = (view["m"] + 1) % 97

    model = Model({"n": 0, "m": 0, "late": 0}, [Rule("grow", grow), Rule("late", late), Rule("turn", turn)])
    assert seen(explore(model, disk=tmp_path)) == seen(explore(model, tables="python"))


@pytest.mark.slow
def test_the_command_line_says_the_same(tmp_path, capsys):
    line = ["explore", "generic", "--events", "kexec", "--vcpus", "2"]
    assert main(line) == 0
    told = capsys.readouterr().out
    assert main([*line, "--disk", str(tmp_path)]) == 0
    assert capsys.readouterr().out == told
    assert main([*line, "--disk", str(tmp_path / "absent")]) == 2
    assert "cannot take states: Not a directory; name a directory" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tables", "says"), [("disk", "16258614 127370852 8065391"), ("numpy", "MemoryError")]
)
def test_sixteen_million_states_in_a_quarter_of_a_gibibyte(tables, says):
    command = [sys.executable, "-c", LIMITED, tables, str(256 << 20)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.stdout.strip() or found.stderr[-300:]) == says
