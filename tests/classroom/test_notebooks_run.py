"""The notebooks of the exercises, as a student runs them: in a kernel, cell by cell."""

import re

import nbformat
import pytest

from tests.classroom.refresh import SCAFFOLDS, SOLUTIONS, role_of
from tests.notebooks.refresh import drawn_anew, fresh
from tests.notebooks.test_notebooks import said
from workbench.classroom import EXERCISES
from workbench.present.notebooks.portable import execute
from workbench.present.text.table import WIDTH

ALL = list(EXERCISES.values())
each = pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.name)
#: These solutions are run each time; all of them in the slow tests.
OFTEN = ("double-fetch",)


def read(folder, exercise):
    return nbformat.read(folder / exercise.file, as_version=4)


def test_a_check_that_does_not_pass_is_a_few_lines_and_no_traceback():
    exercise = EXERCISES["repair"]
    notebook = read(SCAFFOLDS, exercise)
    (cell,) = [cell for cell in notebook.cells if role_of(cell) == "check"]
    cell.metadata.tags = [*cell.metadata.tags, "raises-exception"]
    execute(notebook, SCAFFOLDS)
    (output,) = cell.outputs
    assert output.output_type == "error"
    assert output.ename == "NotPassedError"
    assert output.traceback[0].startswith("not yet  the host reads the descriptor again in step 8, after vCPU 1")
    assert output.traceback[-1] == '  stuck? hint("repair")'
    assert max(map(len, output.traceback)) <= WIDTH, "a narrow screen"
    assert not [line for line in output.traceback if "Traceback" in line or (".py" in line and "answer.py" not in line)]
    printed = [one.get("text", "") for cell in notebook.cells for one in cell.get("outputs", ())]
    assert any(text.startswith("Hint 1 of 3") for text in printed)


@pytest.mark.parametrize(
    "exercise",
    [pytest.param(one, id=one.name, marks=[] if one.name in OFTEN else pytest.mark.slow) for one in ALL],
)
def test_a_solution_says_what_is_committed(exercise):
    committed, now = read(SOLUTIONS, exercise), fresh(SOLUTIONS / exercise.file)
    for before, after in zip(committed.cells, now.cells, strict=True):
        if before.cell_type == "code":
            assert said(after) == said(before), f"{before.source}\nmeant? python -m tests.classroom.refresh"


@each
def test_a_saved_solution_has_passed(exercise):
    (cell,) = [cell for cell in read(SOLUTIONS, exercise).cells if role_of(cell) == "check"]
    assert cell.outputs[0].text.startswith("PASS  ")


@each
def test_saved_views_are_drawn_by_the_present_scripts(exercise):
    for cell in read(SOLUTIONS, exercise).cells:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            assert drawn_anew(html) == html, "meant? python -m tests.notebooks.refresh --views"


@each
def test_a_scaffold_is_saved_without_outputs_and_its_cells_run(exercise):
    names = {"__name__": "__main__"}
    for cell in read(SCAFFOLDS, exercise).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            if not role_of(cell):
                exec(compile(cell.source, exercise.file, "exec"), names)


@each
@pytest.mark.parametrize("folder", [SCAFFOLDS, SOLUTIONS], ids=lambda folder: folder.name)
def test_lines_fit_on_a_screen_and_prose_is_short(exercise, folder):
    notebook = read(folder, exercise)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert max(map(len, cell.source.splitlines())) <= 118
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert len(prose.split()) < 500
    assert not re.search(r"\b(simply|obviously|just|very)\b", prose)
