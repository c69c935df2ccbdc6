"""Every case of the table: status 2, the right words on stderr (tests.hostile.told), nothing on stdout or left."""

import os
import shlex

import pytest

from tests.hostile.cases import CASES, WITH_OUTPUT
from tests.hostile.files import lay_out
from tests.hostile.told import told
from workbench.cli import main, parser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with all files, as they must be after every case."""
    place = tmp_path_factory.mktemp("hostile")
    lay_out(place)
    return place


def seen(folder):
    return {one.name: (one.stat(follow_symlinks=False).st_size, one.stat(follow_symlinks=False).st_mtime_ns)
            for one in os.scandir(folder)}  # fmt: skip


def ids(case):
    text = ascii(case[0])[1:-1]
    return text if len(text) < 80 else f"{text[:76]}..."


def has_output(words):
    """Tell whether the command of a command line has --output, and the line does not use it."""
    commands = next(action for action in parser()._actions if action.dest == "command").choices
    found = commands.get(words[0]) if words else None
    return found is not None and "-o" in found._option_string_actions and "-o" not in words


@pytest.mark.parametrize(("line", "says"), CASES, ids=map(ids, CASES))
def test_one_line_and_nothing_else(line, says, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = seen(folder)
    words = shlex.split(line)
    status = main([*words, "-o", "old.txt"] if has_output(words) else words)
    out, err = capsys.readouterr()
    assert status == 2, out + err
    assert out == ""
    first, names = told(err)
    assert len(err) < 4000, "what was given is shortened"
    assert says in first or says in names
    assert seen(folder) == before


def test_the_table_is_large_and_has_every_command():
    assert len(CASES) >= 150
    commands = next(action for action in parser()._actions if action.dest == "command").choices
    assert {shlex.split(line)[0] for line, _ in CASES if line} >= set(commands)
    assert {shlex.split(line)[0] for line in WITH_OUTPUT} | {"report", "new", "app"} == set(commands)


@pytest.mark.parametrize("command", ["replay bom.jsonl", "layout bom.h", "compare --vcpus 1 --cost-model good.json"])
def test_a_mark_at_the_start_and_other_line_ends_are_no_mistake(command, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main([*shlex.split(command), *(["--events", "boot"] if "compare" in command else [])]) == 0
    assert capsys.readouterr().err == ""
