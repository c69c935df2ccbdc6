"""Every exercise: its scaffold fails with a hint, its solution passes, and what is plausible and wrong is told why."""

import ast
import re
import shlex
import time
from pathlib import Path

import nbformat
import pytest

from tests.classroom.refresh import SCAFFOLDS, SOLUTIONS, WRONG, metadata_of, role_of
from workbench.classroom import EXERCISES, check, hint, judged
from workbench.classroom.answers import answer_in
from workbench.classroom.check import _GIVEN, NotPassedError
from workbench.cli import main

ALL = list(EXERCISES.values())
each = pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.name)
WRONG_FILES = [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in sorted(WRONG.glob("*/*.py"))]


def cells(folder, exercise):
    return nbformat.read(folder / exercise.file, as_version=4).cells


def source(folder, exercise, role):
    (cell,) = [cell for cell in cells(folder, exercise) if role_of(cell) == role]
    return cell.source


def answer(folder, exercise):
    return answer_in(source(folder, exercise, "answer"), exercise.kind)


# -- the answers -------------------------------------------------------------------------------------------


@each
def test_a_scaffold_does_not_pass_and_leads_to_the_first_hint(exercise, capsys):
    given = answer(SCAFFOLDS, exercise)
    _GIVEN.clear()
    with pytest.raises(NotPassedError, match=re.escape(f'stuck? hint("{exercise.name}")')):
        check(exercise.name, given)
    hint(exercise.name)
    assert capsys.readouterr().out.startswith("Hint 1 of 3: ")


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch, capsys):
    """Return what runs a printed command as a student does, who has saved the cell as ``answer.py``."""

    def runs(text, line):
        if line.startswith("workbench "):
            monkeypatch.chdir(tmp_path)
            Path("answer.py").write_text(text, encoding="utf-8")
            assert main(shlex.split(line)[1:]) in (0, 1), capsys.readouterr().err

    return runs


@each
def test_a_solution_passes_and_the_command_that_is_printed_can_be_run(exercise, in_a_folder):
    found = judged(exercise, answer(SOLUTIONS, exercise))
    assert found.passed, found.said
    in_a_folder(source(SOLUTIONS, exercise, "answer"), found.ran)


@pytest.mark.parametrize("path", WRONG_FILES)
def test_a_plausible_wrong_answer_is_told_what_its_run_showed(path):
    """The first line of the file says which: ``# shows: a piece of the sentence``."""
    text = path.read_text(encoding="utf-8")
    expected = re.match(r"# shows: (.+)\n", text)
    assert expected, "say what the check is to show"
    exercise = EXERCISES[path.parent.name]
    found = judged(exercise, answer_in(text, exercise.kind))
    assert not found.passed
    assert expected[1] in found.said
    assert found.ran or "cannot" in found.said


@pytest.mark.slow
@pytest.mark.parametrize("path", WRONG_FILES)
def test_a_command_that_is_printed_for_a_wrong_answer_can_be_run(path, in_a_folder):
    text, kind = path.read_text(encoding="utf-8"), EXERCISES[path.parent.name].kind
    in_a_folder(text, judged(path.parent.name, answer_in(text, kind)).ran)


@each
def test_there_are_three_wrong_answers_at_least(exercise):
    assert len(list((WRONG / exercise.name).glob("*.py"))) >= 3


@each
@pytest.mark.parametrize(
    "bad", [None, ..., 0, -1, 1.5, True, "", "x" * 1_000_000, [], [None] * 5000, {}, {"answer": 1}, object(), b"",
            float("nan"), [[[]]], {1: 2}, int, lambda: 0, "while True: pass"],
    ids=lambda bad: repr(bad)[:12].split(" at ")[0],
)  # fmt: skip
def test_a_bad_answer_is_told_in_one_sentence(exercise, bad):
    begun = time.monotonic()
    found = judged(exercise, bad, seconds=0.3)
    assert time.monotonic() - begun < 2
    assert not found.passed
    assert found.said
    assert len(found.said) < 400
    assert not re.search(r"\n|Traceback|object at 0x", found.said)


# -- the notebooks -----------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("folder", [SCAFFOLDS, SOLUTIONS], ids=lambda folder: folder.name)
def test_cells_carry_the_metadata_of_their_exercise(exercise, folder):
    found = cells(folder, exercise)
    for role in ("answer", "check"):
        (cell,) = [cell for cell in found if role_of(cell) == role]
        assert cell.metadata == metadata_of(exercise, role), "meant? python -m tests.classroom.refresh"
    assert ast.parse(source(folder, exercise, "check")).body[0].__class__ is ast.Assert


@each
def test_a_scaffold_says_what_is_asked_and_where_to_go_on(exercise):
    prose = [cell.source for cell in cells(SCAFFOLDS, exercise) if cell.cell_type == "markdown"]
    assert prose[0].startswith(f"# Exercise {exercise.number}: {exercise.title}\n")
    for part in (exercise.aim, f"{exercise.minutes} minutes", f"{exercise.points} points", "**Known before:**"):
        assert part in prose[0]
    for name, target in re.findall(r"\[([^]]+)\]\(([^)]+)\)", prose[0]):
        assert (SCAFFOLDS / target).exists(), name
    read = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", prose[0])
    for known in exercise.knows:
        assert re.sub(r"exercise ([\w-]+)", lambda found: f"exercise {EXERCISES[found[1]].number}", known) in read
    assert any(text.startswith("## Question") for text in prose)
    assert any(text.startswith("## What to think about next") for text in prose)
    assert f"`notebooks/solutions/{exercise.file}`" in prose[-1]
    assert "(../solutions" not in "".join(prose), "a solution is not opened by a click"
    at = ALL.index(exercise)
    for other in (*ALL[at - 1 : at], *ALL[at + 1 : at + 2]):
        assert f"[{other.title}]({other.file})" in prose[-1]


@each
def test_hints_and_points_are_complete(exercise):
    assert len(set(exercise.hints)) == 3
    assert exercise.points > 0
    assert 0 < exercise.minutes <= 30


def test_the_numbers_are_those_of_a_lab():
    assert [exercise.number for exercise in ALL] == list(range(1, len(ALL) + 1))
    files = {exercise.file for exercise in ALL}
    for folder in (SCAFFOLDS, SOLUTIONS):
        assert {path.name for path in folder.glob("*.ipynb")} == files
