"""docs/layout.md: every session is run, in order, and prints what the page shows."""

import re
import shlex
from pathlib import Path

import pytest

from tests.golden.layouts import corpus
from tests.test_readme import _commands, difference
from workbench.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "layout.md"
BLOCK = re.compile(r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```console\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)
FAILS, NEEDS_HEADERS = "exits with 2", "needs linux-libc-dev"
BLOCKS = list(BLOCK.finditer(PAGE.read_text()))


def printed(command, capsys):
    """Run ``cat`` or ``workbench`` here; return the status and what it printed."""
    program, *arguments = shlex.split(command)
    if program == "cat":
        return 0, "".join(Path(name).read_text() for name in arguments)
    assert program == "workbench"
    status = main(arguments)
    said = capsys.readouterr()
    return status, said.out + said.err


def test_all_blocks_are_sessions():
    assert len(BLOCKS) == PAGE.read_text().count("\n```console\n") > 5


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: _commands(block["body"])[0].text)
def test_a_session_prints_what_the_page_shows(block, monkeypatch, capsys):
    if block["note"] == NEEDS_HEADERS and not corpus.installed("linux/kvm.h"):
        pytest.skip("linux-libc-dev is not installed")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "72")
    for command in _commands(block["body"]):
        status, said = printed(command.text, capsys)
        assert status == (2 if block["note"] == FAILS else 0), said
        assert any(command.shown)
        assert difference(command.shown, said.splitlines()) is None
