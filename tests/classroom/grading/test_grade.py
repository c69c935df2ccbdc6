"""``workbench grade``: whoever has it right gets the points, whoever has not does not, whatever the notebook does."""

import hashlib
import json
import os
import re
import signal
import time

import pytest

from tests.classroom.grading.hostile import CELLS, DESIGNS
from tests.classroom.grading.submissions import ORDINARY, answered, hand_in, notebook, ordinary, right, wrong
from tests.classroom.refresh import SOLUTIONS
from workbench.classroom import EXERCISES
from workbench.classroom.grading import one
from workbench.classroom.grading.course import choose
from workbench.classroom.grading.fence import why_not
from workbench.classroom.grading.results import Result
from workbench.classroom.grading.tables import rendered
from workbench.cli import main

ONE, TWO = "predict-exits", "repair"
pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def sums(folder):
    """Return a checksum of every file below a folder."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def points(found):
    return {student["student"]: student["points"] for student in found["students"]}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A class of five: right, wrong, empty, broken, and a folder with two notebooks."""
    folder = tmp_path_factory.mktemp("class")
    hand_in(folder, "ada", answered({ONE: right(ONE), TWO: right(TWO)}))
    hand_in(folder, "ben", answered({ONE: wrong(ONE), TWO: wrong(TWO)}))
    hand_in(folder, "cyd", answered(ordinary("empty", [ONE, TWO], 0)))
    hand_in(folder, "dan", "{")
    (folder / "eva").mkdir()
    hand_in(folder / "eva", "first", answered({ONE: wrong(ONE)}))
    hand_in(folder / "eva", "second", answered({ONE: right(ONE), TWO: right(TWO) + "\n)"}))
    return folder


@pytest.fixture(scope="module")
def kept(small, tmp_path_factory):
    """The options of a run in which the class is graded already."""
    words = ["grade", str(small), "--state", str(tmp_path_factory.mktemp("kept"))]
    before = sums(small)
    assert main([*words, "--jobs", "2"]) == 0
    assert sums(small) == before, "a notebook is read, never written"
    return words


@pytest.fixture
def nothing_runs(monkeypatch):
    monkeypatch.setattr("workbench.classroom.grading.course.pool_of", None)


def test_a_class_of_five(kept, nothing_runs, capsys):
    assert main([*kept, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    most = {name: EXERCISES[name].points for name in (ONE, TWO)}
    assert points(found) == {"ada": sum(most.values()), "ben": 0, "cyd": 0, "dan": 0, "eva": most[ONE]}
    said = {(row["student"], row["exercise"]): (row["verdict"], row["said"]) for row in found["results"]}
    assert said["ada", ONE] == ("PASS", "all 6 predictions are what the simulator counts")
    assert said["ben", ONE][0] == said["ben", TWO][0] == "FAIL"
    assert said["cyd", ONE] == ("none", "no answer: answer['generic']['boot'] is ... (not filled in)")
    assert said["dan", None][0] == "none"
    assert said["dan", None][1].startswith("not a notebook: not JSON")
    assert said["eva", ONE] == ("PASS", "all 6 predictions are what the simulator counts (the best of 2 notebooks)")
    assert said["eva", TWO][0] == "FAIL"
    assert re.fullmatch(r"answer.py:\d+: unmatched '\)'", said["eva", TWO][1])
    (first, second) = found["exercises"]
    assert (first["passed"], first["handed_in"], second["passed"], second["handed_in"]) == (2, 4, 1, 4)


def test_what_is_kept_is_printed_as_if_it_were_graded_now(small, kept, capsys):
    assert main(["grade", str(small), "--jobs", "1"]) == 0
    text = capsys.readouterr().out
    assert main(kept) == 0
    again = capsys.readouterr()
    assert again.out == text
    assert "notebooks kept from an earlier run" in again.err
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 72
    assert re.search(r"^ada +16 +6 +10$", text, re.MULTILINE)
    assert re.search(r"^dan +0 +- +-$", text, re.MULTILINE)
    assert " s\n" not in text, "times differ from run to run"


@pytest.mark.parametrize("form", ["csv", "markdown", "text", "json"])
def test_formats_with_times(kept, nothing_runs, form, capsys):
    assert main([*kept, "--format", form, "--times"]) == 0
    text = capsys.readouterr().out
    assert re.search(r'seconds|"seconds": \d+\.\d|\d\.\d s$', text, re.MULTILINE)
    assert "predict-exits" in text


def test_a_file_name_is_no_formula_and_no_column(tmp_path):
    (row,) = rows_of(tmp_path, "{")
    found = [Result(student, f"{student}.ipynb", None, row) for student in ("=1+1", "a|b")]
    assert re.search("^'=1\\+1,", rendered(found, "csv"), re.MULTILINE)
    assert "| a\\|b |" in rendered(found, "markdown")


def test_only_some_exercises(small, tmp_path):
    content = (small / "ada.ipynb").read_bytes()
    assert [row.exercise for row in one.grade(content, [TWO], folder_in(tmp_path))] == [TWO]
    assert choose([TWO, ONE]) == [ONE, TWO], "in the order of the lab"
    (row,) = one.grade((small / "ada.ipynb").read_bytes(), [], folder_in(tmp_path))
    assert "its cells name predict-exits, repair" in row.said


def test_mistakes_of_the_teacher_are_told(small, tmp_path, capsys):
    for words, why in (
        ([str(tmp_path / "x")], "does not exist"),
        ([str(tmp_path)], "has no notebooks"),
        ([str(small), "--exercises", "repare"], "did you mean repair?"),
        ([str(small), "--jobs", "0"], "out of range"),
    ):
        assert main(["grade", *words]) == 2
        said = capsys.readouterr()
        assert why in said.err
        assert said.out == ""
        assert said.err.startswith("workbench: ")
        assert "Traceback" not in said.err


def test_without_a_fence_nothing_runs_unless_told(small, capsys, monkeypatch):
    monkeypatch.setattr("workbench.classroom.grading.fence.fence.landlock.version", lambda: 0)
    assert main(["grade", str(small)]) == 2
    assert "no Landlock" in capsys.readouterr().err
    assert main(["grade", str(small / "ada.ipynb"), "--unfenced", "--jobs", "1", "--format", "json"]) == 0
    assert points(json.loads(capsys.readouterr().out)) == {"ada": 16}


# -- without an answer there are no points ------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Give cells little time, so that those that never end do not take the tests' time."""
    monkeypatch.setattr(one, "CELLS", one.CELLS._replace(cpu=1, wall=2.0, disk=4 << 20))


def folder_in(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir(exist_ok=True)
    return folder


def rows_of(tmp_path, text):
    """Grade a notebook in this process's own children, as a worker does."""
    return one.grade(text.encode(), list(EXERCISES), folder_in(tmp_path))


@pytest.mark.parametrize("name", CELLS)
def test_a_hostile_cell_gets_no_points_and_harms_nothing(name, tmp_path, quick):
    outside = tmp_path / "outside.py"
    outside.write_text(right(ONE))
    before = sums(tmp_path)
    source = CELLS[name].format(file=str(outside), solution=str(SOLUTIONS / EXERCISES[ONE].file))
    (row,) = rows_of(tmp_path, answered({ONE: source}))
    assert (row.verdict in ("FAIL", "none"), row.points) == (True, 0), row
    assert sums(tmp_path) == before
    assert len(row.said) < 1000


@pytest.mark.parametrize("name", DESIGNS)
def test_a_hostile_design_gets_no_points(name, tmp_path, monkeypatch):
    monkeypatch.setattr(type(EXERCISES[TWO]), "seconds", 1)
    (row,) = rows_of(tmp_path, answered({TWO: DESIGNS[name]}))
    assert (row.verdict, row.points) == ("FAIL", 0), row
    assert row.said


def test_one_hostile_cell_does_not_cost_the_other_answers(tmp_path):
    rows = rows_of(tmp_path, answered({ONE: "import os; os._exit(0)", TWO: right(TWO)}))
    assert [(row.exercise, row.points) for row in rows] == [(ONE, 0), (TWO, 10)]


def test_outputs_that_were_edited_count_for_nothing(tmp_path):
    text = json.loads(answered({ONE: wrong(ONE)}))
    for cell in text["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["PASS  6 of 6"]}]
    (row,) = rows_of(tmp_path, json.dumps(text))
    assert row.points == 0


def test_an_answer_that_needs_the_cells_above_it(tmp_path):
    text = json.loads(answered({ONE: "answer = worked_out()"}))
    lines = right(ONE).splitlines()
    above = "def worked_out():\n" + "\n".join(f"    {line}" for line in lines) + "\n    return answer\n"
    text["cells"][1]["source"] = above
    (row,) = rows_of(tmp_path, json.dumps(text))
    assert row.verdict == "PASS"


def test_a_class_in_the_cell_above(tmp_path):
    text = json.loads(answered({TWO: "answer = Twice"}))
    text["cells"][1]["source"] = right(TWO)
    (row,) = rows_of(tmp_path, json.dumps(text))
    assert row.verdict == "PASS"


def test_a_judge_that_fails_is_told(small, capsys, monkeypatch, tmp_path):
    def judge(self, answer):
        raise SystemExit(3)

    monkeypatch.setattr(type(EXERCISES[ONE]), "judge", judge)
    (row,) = rows_of(tmp_path, answered({ONE: right(ONE)}))
    assert (row.verdict, row.points) == ("BROKE OFF", 0)
    assert "SystemExit" in row.said


def test_no_exercise_in_it(tmp_path):
    (row,) = rows_of(tmp_path, notebook())
    assert (row.exercise, row.verdict) == ("", "none")
    assert "no exercise in it" in row.said


# -- a class ------------------------------------------------------------------------------------------------


def test_a_stopped_run_keeps_what_is_graded_and_prints_nothing(small, kept, tmp_path, capsys, monkeypatch):
    words = ["grade", str(small), "--jobs", "1", "--state", str(tmp_path / "kept")]

    def stop_at(number):
        def progress(self, what):
            return lambda done, of: os.kill(os.getpid(), signal.SIGINT) if done == number else None

        return progress

    with monkeypatch.context() as patch:
        patch.setattr("workbench.present.progress.Progress.counting", stop_at(3))
        assert main(words) == 130
    stopped = capsys.readouterr()
    assert stopped.out == ""
    assert re.search(r"interrupted; kept in .*: [23] of 6 notebooks; the same command goes on from there", stopped.err)
    assert main(words) == 0
    resumed = capsys.readouterr()
    assert "notebooks kept from an earlier run" in resumed.err
    assert main(kept) == 0
    assert resumed.out == capsys.readouterr().out


def class_of_30(folder):
    """Write the notebooks of 30 students; return the points that each must get."""
    names, expected = list(EXERCISES), {}
    for number in range(26):
        quality, student = ORDINARY[number % len(ORDINARY)], f"student{number:02}"
        hand_in(folder, student, answered(ordinary(quality, names, number)))
        due = {"right": names, "partly": names[::2]}.get(quality, ())
        expected[student] = sum(EXERCISES[name].points for name in due)
    for number, (cell, design) in enumerate([("catches all", "ends at once"), ("writes outside", "patches the judge")]):
        source = CELLS[cell].format(file=str(folder / "student00.ipynb"))
        hostile = {ONE: source, TWO: DESIGNS[design]}
        hand_in(folder, f"student{26 + number}", answered({name: right(name) for name in names} | hostile))
        expected[f"student{26 + number}"] = sum(EXERCISES[name].points for name in names if name not in hostile)
    hand_in(folder, "student28", "{")
    hand_in(folder, "student29", notebook())
    return expected | {"student28": 0, "student29": 0}


@pytest.mark.slow
def test_a_class_of_30(tmp_path, capsys):
    """Measured on 2 cores: under 3 minutes."""
    expected = class_of_30(tmp_path)
    before, begun = sums(tmp_path), time.monotonic()
    assert main(["grade", str(tmp_path), "--jobs", "2", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    took = time.monotonic() - begun
    assert points(found) == expected
    assert sums(tmp_path) == before
    print(f"{took:.0f} s for 30 notebooks with {len(EXERCISES)} exercises")
    assert took < 180
