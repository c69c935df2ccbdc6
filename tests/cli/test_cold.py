"""What a command loads when it starts: nothing that it does not need, so that it answers at once.

Held by the modules that are loaded, not by time. ``python -m benchmarks.cold`` measures the time.
"""

import json
import subprocess
import sys

import pytest

from workbench.cli import main, parser

#: Libraries that take 0.03 to 0.4 s to load.
LIBRARIES = {"numpy", "pandas", "numba", "matplotlib", "IPython", "ipywidgets", "jinja2", "distributed", "nbformat"}
LIBRARIES |= {"http.client", "ssl", "email", "asyncio", "importlib.metadata", "unittest"}
#: Rooms of the package whose files are all loaded with them.
ROOMS = {f"workbench.{name}" for name in ("protocols", "features", "lifecycle", "measure", "engines", "replay", "fuzz")}
#: Command lines, run one after the other in one process, and what may not be loaded after each: those that load little
#: come first.
COLD = {
    "--help": {*LIBRARIES, *ROOMS, "workbench.core.contracts", "workbench.clayout.layout"},
    "list": {*LIBRARIES, "workbench.engines", "workbench.replay", "workbench.fuzz", "multiprocessing", "ctypes"},
    "compare --vcpus 2 --events kexec": {*LIBRARIES, "workbench.engines.explore", "workbench.engines.kvm", "ctypes"},
    "explore generic --events kexec": {*LIBRARIES, "workbench.engines.kvm", "ctypes", "workbench.present.web"},
}
PROGRAM = """
import contextlib, io, json, sys
from workbench.cli import main
loaded = {}
for line, unwanted in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(line.split()) == 0, line
    loaded[line] = sorted(set(unwanted) & set(sys.modules))
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded():
    """Return, for each command line, what is loaded after it that may not be."""
    asked = json.dumps([(line, sorted(unwanted)) for line, unwanted in COLD.items()])
    run = subprocess.run([sys.executable, "-c", PROGRAM, asked], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize("line", COLD)
def test_a_command_loads_only_what_it_needs(loaded, line):
    assert loaded[line] == []


def _commands(words):
    return next(action for action in parser(words)._actions if action.dest == "command").choices


def test_a_command_line_makes_the_parser_of_its_command_alone():
    assert set(_commands(["list", "--format", "json"])) == {"list"}


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["lst"], ["_options"]])
def test_any_other_line_makes_all_of_them(words):
    assert {"list", "explore", "compare"} < set(_commands(words))


def test_a_wrong_command_is_still_told_the_known_ones(capsys):
    assert main(["explor"]) == 2
    assert "did you mean explore" in capsys.readouterr().err
