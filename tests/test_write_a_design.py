"""docs/write-a-design.md: every block is executed, in order and in one folder; its tables are the code's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import _commands, difference
from workbench.core.rules.declared import ATTRIBUTES
from workbench.core.rules.returned import RETURNS
from workbench.core.rules.sides import YIELDED_BY
from workbench.core.steps import GUEST, KERNEL

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "write-a-design.md"
BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<kind>python|console)\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE
)
NEEDS_KVM, FAILS = "needs KVM", "exits with 1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Enter an empty folder in which ``workbench`` is the one under test."""
    here, programs = tmp_path / "here", tmp_path / "bin"
    here.mkdir()
    programs.mkdir()
    script = programs / "workbench"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m workbench "$@"\n')
    script.chmod(0o755)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return here


def ran(command):
    bash = ["bash", "-c", command]
    return subprocess.run(bash, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def shown_as(command, printed):
    """Return how the output differs from the page; ``...`` at the end of a line stands for the rest of a paragraph."""
    if any(line.endswith("slip.py:...") for line in command.shown):
        return None if "FAIL  text and declarations: slip.py:" in printed else printed
    return difference(command.shown, printed.splitlines()) if any(command.shown) else None


def test_every_block_works_in_order(folder):
    names = {}
    blocks = list(BLOCK.finditer(PAGE.read_text()))
    assert len(blocks) == PAGE.read_text().count("\n```python\n") + PAGE.read_text().count("\n```console\n")
    for block in blocks:
        if block["kind"] == "python":
            exec(compile(block["body"], "write-a-design.md", "exec"), names)
            continue
        if block["note"] == NEEDS_KVM and ran("workbench kvm --probe").returncode:
            continue
        for command in _commands(block["body"]):
            run = ran(command.text)
            said = f"$ {command.text}\nexit status {run.returncode}\n{run.stdout}{run.stderr}"
            assert run.returncode == (1 if block["note"] == FAILS else 0), said
            assert shown_as(command, run.stdout) is None, said


def rows(first):
    """Return the rows of the table whose first column is called ``first``."""
    table = PAGE.read_text().partition(f"\n| {first} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()[2:]]


def test_the_table_of_steps_is_the_table_that_is_checked():
    told = {cells[0]: ("yes" in cells[1], "yes" in cells[2]) for cells in rows("step")}
    assert told == {kind.__name__: (GUEST in sides, KERNEL in sides) for kind, sides in YIELDED_BY.items()}


def test_the_table_of_attributes_names_all_that_have_a_rule():
    assert {cells[0] for cells in rows("attribute")} == set(ATTRIBUTES)


def test_the_table_of_methods_names_all_that_have_a_rule():
    assert {name.strip() for cells in rows("method") for name in cells[0].split(",")} == set(RETURNS)


def test_the_page_says_that_a_file_runs_with_the_users_rights_and_the_readme_leads_here():
    assert "runs with your rights" in PAGE.read_text()
    readme = (ROOT / "README.md").read_text().partition("## Your own design")[2].partition("\n## ")[0]
    assert "docs/write-a-design.md" in readme
    assert "notebooks/02-generic.ipynb" in readme
