"""``workbench history``: the table, its formats, its errors, its exit status, and what was written from it."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.history.explored import BY_NAME, outcome
from tests.hostile.told import told
from workbench import history
from workbench.cli import main
from workbench.history import CASES, LEFT_OUT

ROOT = Path(__file__).resolve().parents[2]
GOLDEN, DOCS = ROOT / "tests" / "golden" / "history.csv", ROOT / "docs" / "history.md"


@pytest.fixture
def explored_once(monkeypatch):
    """The command sees the explorations that the other tests have made."""

    def explored(cases):
        return (outcome(case.name) for case in cases)

    monkeypatch.setattr(history, "explore_cases", explored)


def said(capsys, *args):
    status = main(["history", *args])
    return status, capsys.readouterr()


def test_golden(capsys, explored_once):
    """After an intended change: workbench history --format csv --output tests/golden/history.csv."""
    status, streams = said(capsys, "--format", "csv")
    assert status == 0
    assert streams.out == GOLDEN.read_text()


def test_the_document_is_what_the_command_writes(capsys, explored_once):
    status, streams = said(capsys, "--format", "markdown")
    assert status == 0
    assert streams.out == DOCS.read_text()


def test_text_has_every_case_and_every_reason_in_72_columns(capsys, explored_once):
    status, streams = said(capsys)
    assert status == 0
    assert all(case.name in streams.out for case in CASES)
    assert all(f"{bug} (" in streams.out for bug in LEFT_OUT)
    assert max(map(len, streams.out.splitlines())) <= 72
    assert "53 of 57 bugs reproduced, in 54 cases; left out" in streams.out


def test_json_and_csv_say_the_same(capsys, explored_once):
    records = json.loads(said(capsys, "--format", "json")[1].out)
    rows = list(csv.DictReader(io.StringIO(said(capsys, "--format", "csv")[1].out)))
    as_text = [{key: "" if value is None else str(value) for key, value in one.items()} for one in records]
    assert as_text == rows
    assert len(records) == len(CASES) + len(LEFT_OUT)


def test_one_bug_comes_with_its_story_and_its_trace(capsys):
    status, streams = said(capsys, "--bug", "B6")
    assert status == 0
    assert "aa35bcf2e762" in streams.out
    assert "shortest trace to false success (F04)" in streams.out
    assert "left out" not in streams.out
    assert "\\n" not in streams.out, "a line end is printed as an escape"


@pytest.mark.parametrize(
    ("bug", "complaint"),
    [
        ("B99", "unknown bug 'B99'; did you mean B9, B19?"),
        ("K18", "K18 (CVE-2019-7221: VMX preemption timer) was left out: no shared memory"),
    ],
)
def test_a_bug_that_is_no_case_is_one_line(capsys, bug, complaint):
    status, streams = said(capsys, "--bug", bug)
    assert status == 2
    assert told(streams.err)[0].startswith(complaint)


def test_a_case_that_is_not_as_it_was_is_status_1(capsys, monkeypatch):
    case = BY_NAME["riscv-false-success"]
    monkeypatch.setattr(history, "choose", lambda names: (replace(case, fixed=case.broken),))
    status, streams = said(capsys, "--bug", "B6")
    assert status == 1
    assert "0 of 1 bugs reproduced, in 1 case; not: B6" in streams.out
