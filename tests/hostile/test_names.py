"""Names that would command a terminal, leave a folder or break a line: refused as names, escaped in paths."""

import json
import shlex

import pytest

from workbench.cli import main

PROTOCOL = '''"""R1 it registers nothing."""
from workbench.design import REFUSED, Event, Feature, Protocol, enter_all, struct


class Mine(Protocol):
    name = {name!r}
    title = {title!r}
    mitigations_known = {{{mitigation!r}: {about!r}}}

    def register(self, cpu, feature, gpa):
        """R1"""
        return REFUSED
        yield
'''
EVENT = '''"""An event."""
from workbench.design import AfterBoot, enter_all


class Mine(AfterBoot):
    name = {name!r}
    title = {title!r}

    def happen(self, scenario):
        yield from enter_all(scenario)
'''
GOOD = {"name": "mine", "title": "a title", "mitigation": "careful", "about": "it takes care"}
NAMES = [
    "", " ", "a b", "../mine", "/etc/passwd", ".", "..", "-o", "a/b", "a,b", "a+b", "a:b", "a\nb", "a\tb", "a\0b",
    "\x1b[31mred", "\u202egnp", "a\u200bb", "\ud800", "n" * 65, "a\u2028b", "a'b", 'a"b', "a;b", "$(id)", "*",
]  # fmt: skip
TEXTS = ["two\nlines", "\x1b]0;title\x07", "\u202eright to left", "\x00", "\ud800"]


def refused(capsys, *argv):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err[:-1].isprintable()
    return err


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Go to an empty folder; return a function that writes mine.py there."""
    monkeypatch.chdir(tmp_path)
    return lambda text, **other: (tmp_path / "mine.py").write_text(text.format(**{**GOOD, **other}), encoding="utf-8")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_letters_and_digits(name, write, capsys):
    write(PROTOCOL, name=name)
    assert "mine.py" in refused(capsys, "list", "--protocols", "mine.py")
    write(PROTOCOL, mitigation=name)
    assert "mine.py" in refused(capsys, "list", "--protocols", "mine.py")
    write(EVENT, name=name)
    assert "mine.py" in refused(capsys, "list", "--events", "mine.py")


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_is_one_line_that_can_be_printed(text, write, capsys):
    for one in ({"title": text}, {"about": text}):
        write(PROTOCOL, **one)
        assert "mine.py" in refused(capsys, "list", "--protocols", "mine.py")


def test_letters_of_other_alphabets_are_letters(write, capsys):
    write(PROTOCOL, name="gr\u00fc\u00dfe", title="\u03b1 and \u03b2")
    assert main(["list", "--protocols", "mine.py"]) == 0
    assert "gr\\xfc\\xdfe" in capsys.readouterr().out, "tables are ASCII"
    assert main(["list", "--protocols", "mine.py", "--format", "json"]) == 0
    assert "gr\u00fc\u00dfe" in {record["name"] for record in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("folder", ["a\nb", "\x1b[31m", "\u202e", "\udcff"], ids=ascii)
@pytest.mark.parametrize("command", ["compare --protocols", "explore", "export dot", "matrix --protocols", "check"])
def test_a_path_is_one_that_can_be_printed(command, folder, write, tmp_path, capsys):
    write(PROTOCOL)
    (tmp_path / folder).mkdir()
    (tmp_path / "mine.py").rename(tmp_path / folder / "mine.py")
    assert "cannot be printed" in refused(capsys, *command.split(), f"./{folder}/mine.py")


@pytest.mark.parametrize("folder", ["with space", "quote'", 'double"', "back\\slash", "-o", "dollar$(id)", "\u03b1"])
def test_a_path_that_can_be_printed_is_quoted_for_a_shell(folder, write, tmp_path, capsys):
    write(PROTOCOL)
    (tmp_path / folder).mkdir()
    (tmp_path / "mine.py").rename(tmp_path / folder / "mine.py")
    path = f"./{folder}/mine.py"
    assert main(["compare", "--vcpus", "1", "--events", "boot", "--format", "markdown", "--protocols", path]) == 0
    (command,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("$ "))
    assert path in shlex.split(command)
