"""Every command writes the same bytes whatever the hash seed, folder, locale, time zone, terminal and number of jobs.

Commands run in one process for each surrounding, because only a new process takes another hash seed or locale.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.hostile.lines import LINES, NOT_COMPARED
from tests.house.imports import ROOT
from workbench.cli import parser

_PROGRAM = """
import contextlib, io, json, sys
from workbench.cli import main
if __name__ == "__main__":
    found = {}
    for line in json.load(sys.stdin):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(line.split())
        found[line] = status, out.getvalue() or err.getvalue()
    print(json.dumps(found))
"""


def surrounding(jobs, seed, **environment):
    """Return jobs and environment of a run: all but what a program needs to start is what the test says."""
    needed = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return jobs, {**needed, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed), **environment}


PLAIN = surrounding(1, 0, LC_ALL="C.UTF-8", TZ="UTC", COLUMNS="80")
OTHER = surrounding(2, 4711, LC_ALL="C", TZ="Asia/Kolkata", COLUMNS="31", TERM="dumb", LINES="7", PYTHONUTF8="0",
                    PYTHONCOERCECLOCALE="0", USER="nobody", HOME="/dev/null/home")  # fmt: skip


def german(folder):
    """Return a third surrounding, in a locale that is not UTF-8 and writes 1,5 if one can be made, else in POSIX."""
    made = shutil.which("localedef") and subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", folder / "de_DE.ISO-8859-1"], capture_output=True, check=False
    )
    ours = {"LC_ALL": "de_DE.ISO-8859-1", "LOCPATH": str(folder)} if made and not made.returncode else {"LANG": "POSIX"}
    return surrounding(4, 1, TZ="America/St_Johns", COLUMNS="200", NO_COLOR="1", PYTHONUTF8="0", **ours)


def run(lines, surroundings, folder):
    """Return ({line: (status, what it prints)}, {file: checksum}) of a run in ``folder``."""
    jobs, environment = surroundings
    out = folder / "out"
    out.mkdir(parents=True)
    asked = {line.format(root=ROOT, out=out, jobs=jobs): line for line in lines}
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM], input=json.dumps(list(asked)), env=environment, cwd=folder,
        capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    printed = {asked[line]: (status, untimed(line, text.replace(str(folder), "")))
               for line, (status, text) in json.loads(found.stdout).items()}  # fmt: skip
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and ".sqlite" not in file.name)
    return printed, {str(file.relative_to(folder)): checksum(file, folder) for file in files}


def untimed(line, text):
    """Return what a command prints; without times if it is there to measure them."""
    return re.sub(r"[\d.]+(?= ns| and|; |%|\))", "0", text) if line.startswith("calibrate") else text


def checksum(file, folder):
    """Return one of what a file holds, apart from where it is; of measurements, without times and what goes by them."""
    content = file.read_bytes().replace(str(folder).encode(), b"")
    if b'"tsc_per_ns":' in content:
        content = re.sub(rb'"(tsc_per_ns|median_ns|lower_ns|upper_ns|user_share)": [^,}\n]+', rb'"\1": 0', content)
        content = re.sub(rb'"(date|load)": "[^"]*"', rb'"\1": ""', content)
        content = re.sub(rb'"payloads": {[^}]*}', b"", content)  # how often KVM wrote areas that overlap
    return hashlib.sha256(content).hexdigest()


def compared(lines, folder, *surroundings):
    """Run in each of the surroundings, each in a folder of its own, deeper each time; assert that nothing differs."""
    first = None
    for number, one in enumerate(surroundings):
        folder = folder / f"deeper-{number}"
        found = run(lines, one, folder / "here")
        first = first or found
        printed, written = found
        assert {line: both for line in lines if len(set(both := (first[0][line], printed[line]))) > 1} == {}
        assert written == first[1]
        assert {line: status for line, (status, _) in printed.items() if status not in (0, 1)} == {}
    return first


def test_the_surroundings_do_not_matter(tmp_path):
    """Nor is anything printed of this run or this machine: no address, no time of day, no path, no process."""
    printed, written = compared(LINES[""], tmp_path, PLAIN, OTHER)
    assert written
    host = os.uname().nodename
    for line, (_, text) in printed.items():
        assert not re.search(r"0x[57][0-9a-f]{11}\b|object at|\b\d\d:\d\d:\d\d\b", text), line
        assert str(ROOT.parent) + "/" not in text.replace(str(ROOT), ""), line
        assert len(host) < 4 or host not in text, line
        if "{root}" not in line:
            assert str(ROOT) not in text, line


def test_a_text_as_wide_as_the_terminal_depends_on_that_alone(tmp_path):
    jobs, others = OTHER
    compared(LINES["columns"], tmp_path, PLAIN, (jobs, others | {"COLUMNS": PLAIN[1]["COLUMNS"]}))


@pytest.mark.slow
@pytest.mark.kvm
def test_the_surroundings_do_not_matter_on_kvm(tmp_path):
    compared(LINES["kvm"], tmp_path, PLAIN, OTHER)


@pytest.mark.spin
def test_the_surroundings_do_not_matter_beside_spin(tmp_path):
    compared(LINES["spin"], tmp_path, PLAIN, OTHER)


@pytest.mark.slow
@pytest.mark.parametrize(
    "needs",
    ["", "long", "time", pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("spin", marks=pytest.mark.spin)],
)
def test_another_locale_and_more_jobs(needs, tmp_path):
    compared(LINES[needs], tmp_path, PLAIN, german(tmp_path))


@pytest.mark.slow
@pytest.mark.kvm
def test_measurements_differ_in_nothing_but_times(tmp_path):
    _, written = compared(LINES["measures"], tmp_path, PLAIN, german(tmp_path))
    assert written


def options(one, name=""):
    """Yield the words that ask for everything a command line offers: commands, their options, and their choices."""
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from options(below, f"{name} {word}".strip())
        elif action.choices and name:
            option = f"{action.option_strings[0]} " if action.option_strings else ""
            yield from (f"{name} {option}{choice}" for choice in action.choices if choice != action.default)
        elif name:
            yield from (f"{name} {option}" for option in action.option_strings if option in MATTERS)
    if name and not any(isinstance(action, argparse._SubParsersAction) for action in one._actions):
        yield name


#: Options of which each command that has them must have a line.
MATTERS = ("--jobs", "--timing", "--partial", "--seconds", "--ops")


def test_every_command_and_choice_is_compared():
    lines = [line.split() for lines in LINES.values() for line in lines]

    def has(line, words):
        rest = iter(line)
        return all(word in rest for word in words)

    asked = set(options(parser()))
    assert {one for one in asked if not any(has(line, one.split()) for line in lines)} == set(NOT_COMPARED)
    without = [line for lines in LINES.values() for line in lines if "--jobs" in line and "--jobs {jobs}" not in line]
    assert not without
