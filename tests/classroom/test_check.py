"""What check and hint show in a notebook, and that nothing hangs."""

import json
import linecache
import re
import signal
import time

import nbformat
import pytest

from tests.classroom.refresh import SCAFFOLDS, SOLUTIONS, WRONG
from workbench.classroom import EXERCISES, check, hint, judged
from workbench.classroom.answers import answer_in, without_folder
from workbench.classroom.check import _GIVEN, NotPassedError
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.limits import TimeIsUp, limited
from workbench.errors import WorkbenchError

RIGHT = {
    "generic": {"boot": 13, "kexec": 25, "migrate": 0},
    "per_feature": {"boot": 17, "kexec": 29, "migrate": 0},
}


def test_what_passes_is_printed_and_true(capsys):
    assert check("predict-exits", RIGHT) is True
    said = capsys.readouterr().out
    assert said.startswith("PASS  all 6 predictions")
    assert "ran: workbench compare --protocols generic,per_feature" in said


def test_what_does_not_pass_is_an_assertion_error_that_a_notebook_shows_without_a_traceback():
    with pytest.raises(AssertionError) as caught:
        check("predict-exits", {**RIGHT, "generic": {"boot": 12, "kexec": 25, "migrate": 0}})
    lines = caught.value._render_traceback_()
    assert lines[0] == "not yet  generic, boot: predicted 12, and the run counted 13 exits"
    assert lines[-1] == '  stuck? hint("predict-exits")'
    assert len(lines) < 6


def test_a_trace_is_shown_with_what_does_not_pass():
    text = (WRONG / "repair" / "reads_moved_together.py").read_text(encoding="utf-8")
    with pytest.raises(NotPassedError, match="vCPU0 vCPU1  KVM  event"):
        check("repair", text)


def test_hints_come_one_after_the_other_and_the_last_one_stays(capsys):
    _GIVEN.clear()
    for _ in range(4):
        hint("repair")
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Hint ")]
    assert [line.split(":")[0] for line in said] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]


def test_an_unknown_exercise_is_told_with_those_there_are():
    with pytest.raises(WorkbenchError, match="unknown exercise 'repairs'; did you mean repair"):
        check("repairs", 1)


def test_a_class_is_judged_by_its_text():
    """The class of a notebook may be patched after it was defined; only its text counts."""
    text = answer_in(_source("06-repair.ipynb"), "design")
    linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
    names = {"__name__": "__main__"}
    exec(compile(text, "<cell>", "exec"), names)
    assert check("repair", names["answer"])


def test_a_class_whose_cell_cannot_run_alone_as_the_answer_is_refused():
    text = answer_in(_source("06-repair.ipynb"), "design").replace("answer = Twice", "")
    linecache.cache["<other cell>"] = (len(text), None, text.splitlines(keepends=True), "<other cell>")
    names = {"__name__": "__main__"}
    exec(compile(text, "<other cell>", "exec"), names)
    with pytest.raises(NotPassedError, match="does not say `answer = Twice`"):
        check("repair", names["Twice"])


@pytest.mark.parametrize("folder", ["/tmp/workbench-answer-x1/", "tmp/workbench-answer-y_/", "../workbench-answer-z/"])
def test_the_folder_of_a_check_is_in_no_message(folder):
    assert without_folder(f"({folder}answer.py:3) and '{folder}answer.py'") == "(answer.py:3) and 'answer.py'"


def _source(file, folder=SOLUTIONS):
    cells = nbformat.read(folder / file, as_version=4).cells
    return next(cell.source for cell in cells if "answer" in cell.metadata.get("tags", ()))


# -- limits --------------------------------------------------------------------------------------------


def test_an_answer_without_an_end_is_broken_off():
    begun = time.monotonic()
    found = judged("repair", "while True:\n    pass\n", seconds=0.2)
    assert time.monotonic() - begun < 2
    assert found == Judged(False, "the check was broken off after 0.2 seconds: does a loop never end?")


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        ("while True:\n            pass", "broken off after 0.5 seconds"),
        ("while True:\n            yield Load(value, CALL)", "never ends|no end|broken off|reads the descriptor again"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("return (yield from self.on_wrmsr(cpu, msr, value))", "RecursionError|maximum recursion"),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("yield 3", "is not a step|3"),
        ("import os\n        os.chdir('/nowhere')", "FileNotFoundError"),
    ],
)
def test_a_handler_that_misbehaves_is_told_in_one_sentence(instead, told):
    first = "asked = yield Load(value, CALL)\n        if"
    text = _source("06-repair.ipynb", SCAFFOLDS).replace(first, f"{instead}\n        if")
    found = judged("repair", text, seconds=0.5)
    assert not found.passed
    assert "\n" not in found.said
    assert re.search(told, found.said), found.said
    assert "workbench-answer-" not in found.said


def test_the_clock_is_stopped_behind_a_check():
    with limited(0.05):
        pass
    time.sleep(0.1)
    with pytest.raises(TimeIsUp), limited(0.05):
        time.sleep(1)


def test_an_interrupt_of_the_user_goes_through():
    class Interrupted(Exercise):
        name, number = "interrupted", 99

        def judge(self, answer):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        judged(Interrupted(), 1)


def test_results_can_be_carried_as_json():
    for exercise in EXERCISES.values():
        found = judged(exercise, {"x": 1})
        assert Judged(**json.loads(json.dumps(found._asdict()))) == found
