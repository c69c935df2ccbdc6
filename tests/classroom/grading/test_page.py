"""docs/grading.md: its session prints what it shows, and what it says of other graders is in the notebooks."""

import json
import re
from pathlib import Path

import pytest

from tests.test_readme import _commands, difference
from workbench.classroom import EXERCISES
from workbench.classroom.grading.fence import Limits, why_not
from workbench.classroom.grading.one import CELLS
from workbench.classroom.grading.submission import _MOST_BYTES
from workbench.cli import main
from workbench.paths import NOTEBOOKS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "grading.md").read_text(encoding="utf-8")


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_the_session_prints_what_the_page_shows(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (body,) = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (command,) = _commands(body)
    assert main(command.text.split()[1:]) == 0
    assert difference(command.shown, capsys.readouterr().out.splitlines()) is None


def test_the_script_writes_a_test_for_each_exercise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(r"^```python\n(from pathlib.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(compile(script, "grading.md", "exec"), {})
    for exercise in EXERCISES.values():
        text = (tmp_path / exercise.name / "tests" / f"{exercise.name}.py").read_text()
        assert f"name, points = {exercise.name!r}, {exercise.points}\n" in text
        compile(text, "test", "exec")


def test_check_cells_are_asserts_with_the_metadata_of_nbgrader():
    for exercise in EXERCISES.values():
        cells = json.loads((NOTEBOOKS / "exercises" / exercise.file).read_text(encoding="utf-8"))["cells"]
        marks = {cell["metadata"]["workbench"]["role"]: cell for cell in cells if "workbench" in cell["metadata"]}
        assert "".join(marks["check"]["source"]).startswith("assert check(")
        assert marks["check"]["metadata"]["nbgrader"]["points"] == exercise.points
        assert marks["answer"]["metadata"]["nbgrader"]["solution"] is True


def test_the_limits_are_those_of_the_page():
    for said in (
        f"{CELLS.cpu} s of processor time, {CELLS.wall:.0f} s in all",
        f"{Limits().memory >> 30} GiB; {Limits().file >> 20} MiB for a file, {Limits().disk >> 20} MiB for all",
        f"too long ({_MOST_BYTES >> 20} MiB)",
    ):
        assert said in PAGE
