"""Every command writes the same bytes whatever the hash seed, folder, locale, time zone, terminal and number of jobs.

Commands run in one process for each surrounding, because only a new process takes another hash seed or locale.
"""

import hashlib
import json
import locale
import os
import re
import subprocess
import sys

import pytest

from tests.house.imports import ROOT

#: A quick line of every command, but for help, which is as wide as the terminal. {out} is a folder of the test's own,
#: {root} the checkout.
LINES = [
    "list", "list --format json", "list --format markdown", "layout {root}/docs/examples/kvm_memory_area.h",
    "compare --vcpus 3 --events boot,migrate", "compare --vcpus 2 --events boot,kexec --format json",
    "compare --vcpus 2 --events boot --format csv", "compare --vcpus 2 --events boot --cost-model nested-2019",
    "explore generic --events migrate", "explore generic --events descriptor-race --trace table --format json",
    "explore generic --events descriptor-race --trace replay", "explore per_feature --events boot --symmetry --vcpus 2",
    "explore generic --events boot --format csv", "history --bug B4 --format markdown", "history --bug B4",
    "export promela generic", "export dot null", "export graphml null",
    "replay {root}/tests/replay/library/steal-time.jsonl",
    "replay {root}/tests/replay/library/steal-time.jsonl --format json",
    "matrix --events boot --features steal_time --format json --jobs {jobs}",
    "matrix --events boot,migrate --protocols null --mitigations all --jobs {jobs}",
    "page compare --vcpus 1 --events boot", "page matrix --events boot --protocols null --jobs {jobs}",
    "check {root}/tests/protocols/data/third.py:RegisterArray", "new mine --folder {out}/new",
]  # fmt: skip
REPORT = "report out/report --vcpus 2 --events boot --protocols null,generic --no-notebooks"

_PROGRAM = """
import contextlib, hashlib, io, json, sys
from pathlib import Path
from workbench.cli import main
found = {}
for line in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        main(line.split())
    found[line] = out.getvalue()
print(json.dumps(found))
"""


def surrounding(number, **environment):
    """Return the environment of a run: all but what a program needs to start is what the test says."""
    needed = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**needed, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(number), **environment}


SURROUNDINGS = {
    "plain": ("1", surrounding(0, LC_ALL="C.UTF-8", TZ="UTC", COLUMNS="80")),
    "other": ("2", surrounding(4711, LC_ALL="C", TZ="Asia/Kolkata", COLUMNS="31", TERM="dumb", LINES="7",
                               PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", USER="nobody", HOME="/nonexistent")),
}  # fmt: skip
GERMAN = ("4", surrounding(1, LC_ALL="de_DE.ISO-8859-1", TZ="America/St_Johns", COLUMNS="200", NO_COLOR="1"))


def run(lines, jobs, environment, folder):
    """Return {line: checksum of what it prints and writes} of a run in ``folder``."""
    folder.mkdir(parents=True)
    (folder / "out" / "new").mkdir(parents=True)
    asked = {line.format(root=ROOT, out=folder / "out", jobs=jobs): line for line in lines}
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM], input=json.dumps(list(asked)), env=environment, cwd=folder,
        capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    printed = {asked[line]: text.replace(str(folder), "") for line, text in json.loads(found.stdout).items()}
    written = {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
               for file in sorted(folder.rglob("*")) if file.is_file()}  # fmt: skip
    return printed, written


def differing(one, other):
    return {line: (one[line], other[line]) for line in one if one[line] != other.get(line)}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return run(LINES, *SURROUNDINGS["plain"], tmp_path_factory.mktemp("plain") / "here")


def test_the_surroundings_do_not_matter(plain, tmp_path):
    printed, written = run(LINES, *SURROUNDINGS["other"], tmp_path / "deep" / "down" / "elsewhere")
    assert differing(plain[0], printed) == {}
    assert plain[1] == written


@pytest.mark.slow
def test_another_locale_and_more_jobs(plain, tmp_path):
    try:
        locale.setlocale(locale.LC_CTYPE, "de_DE.ISO-8859-1")
    except locale.Error:
        pytest.skip("the locale de_DE.ISO-8859-1 is not installed")
    finally:
        locale.setlocale(locale.LC_CTYPE, "")
    printed, written = run(LINES, *GERMAN, tmp_path / "dort")
    assert differing(plain[0], printed) == {}
    assert plain[1] == written


@pytest.mark.slow
def test_a_report(tmp_path):
    runs = [run([REPORT], *one, tmp_path / name / "here") for name, one in SURROUNDINGS.items()]
    assert runs[0] == runs[1]


def test_nothing_printed_is_of_this_run_or_this_machine(plain):
    """No address of an object, no time of day, no path of this machine, no process."""
    host = os.uname().nodename
    for line, text in plain[0].items():
        assert not re.search(r"0x[57][0-9a-f]{11}\b|object at|\b\d\d:\d\d:\d\d\b", text), line
        assert str(ROOT.parent) + "/" not in text.replace(str(ROOT), ""), line
        assert len(host) < 4 or host not in text, line
        if "{root}" not in line:
            assert str(ROOT) not in text, line


def test_every_command_is_compared():
    from workbench.cli import parser

    commands = next(action for action in parser()._actions if action.dest == "command").choices
    # kvm, calibrate and fuzz measure this machine; crosscheck runs another program.
    assert {line.split()[0] for line in [*LINES, REPORT]} >= set(commands) - {"kvm", "calibrate", "fuzz", "crosscheck"}
