"""Grades one notebook: finds its answers, runs their cells, judges them; a row for each exercise that it has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from workbench.classroom.exercise import Exercise
from workbench.classroom.exercises import EXERCISES
from workbench.classroom.grading.confined import CPU, TIME, confined
from workbench.classroom.grading.fence import Limits
from workbench.classroom.grading.judge import FAIL, NONE, PASS, Verdict, verdict_on
from workbench.classroom.grading.submission import Found, Lost, read
from workbench.errors import WorkbenchError

#: Loaded before processes are forked, because nearly every answer is measured and explored: not by each of them anew.
_USED_BY_ALL = (
    "workbench.measure.comparison.growth",
    "workbench.measure.comparison.state",
    "workbench.engines.explore.numpy_search.engine",
)
for _module in _USED_BY_ALL:
    import_module(_module)

#: Of the cells of one answer: what they compute is small, and a class has many.
CELLS = Limits(cpu=10, wall=30.0)
#: What an answer cell raises that needs the cells above it.
_NEEDS_OTHERS = ("NameError", "UsageError")


class Row(NamedTuple):
    """What one notebook got for one exercise; ``exercise`` "" if nothing could be read of it at all."""

    exercise: str
    verdict: str
    points: int
    said: str
    ran: str = ""
    trace: str = ""
    seconds: float = 0.0  #: how long it took
    certain: bool = True  #: see Verdict


def grade(content: bytes, names: Sequence[str], folder: Path, *, kernel: bool = True) -> list[Row]:
    """Return the rows of one notebook, in the order of ``names``, the exercises asked for.

    ``folder`` is an empty directory for the files of the processes. Whatever the notebook is or does, there is a row.
    """
    try:
        found = read(content, names)
    except WorkbenchError as error:
        return [Row("", NONE, 0, str(error))]
    rows = [_row(EXERCISES[name], found.answers[name], folder, kernel) for name in names if name in found.answers]
    if not rows:
        why = "no exercise in it: no cell has the metadata of an answer or of a check"
        if found.unknown:
            why = f"no exercise that is asked for; its cells name {', '.join(found.unknown)[:200]}"
        return [Row("", NONE, 0, why)]
    return rows


def _row(exercise: Exercise, found: Found | Lost, folder: Path, kernel: bool) -> Row:
    begun = time.monotonic()
    got = _verdict(exercise, found, folder, kernel)
    said = f"{got.said} ({found.note})" if isinstance(found, Found) and found.note else got.said
    points = exercise.points if got.verdict == PASS else 0
    return Row(exercise.name, got.verdict, points, said, got.ran, got.trace, time.monotonic() - begun, got.certain)


def _verdict(exercise: Exercise, found: Found | Lost, folder: Path, kernel: bool) -> Verdict:
    if isinstance(found, Lost):
        return Verdict(NONE, f"no answer: {found.why}")
    answer = _answer(exercise, found, folder, kernel)
    return answer if isinstance(answer, Verdict) else verdict_on(exercise, answer[0], folder, kernel=kernel)


def _answer(exercise: Exercise, found: Found, folder: Path, kernel: bool) -> tuple[Any] | Verdict:
    """Return the answer that a cell gives, or what is said where it gives none.

    The cell runs alone, as answer cells are meant to; if it needs names of others, all cells before it run first. A
    design is the text of its cell, which nothing runs here, unless its class stands in another cell.
    """
    if not found.text.strip():
        return Verdict(NONE, "no answer: its cell is empty")
    if exercise.kind == "design" and _has_class(found.text):
        return (found.text,)
    before: tuple[str, ...] = ()
    while True:
        heard = confined(_work(before, found.text), folder, CELLS, kernel=kernel)
        match heard.told:
            case [{"answer": value}] if not heard.ended:
                return (value,)
            case [{"none": str(why), "kind": str(kind)}] if not heard.ended:
                if kind in _NEEDS_OTHERS and not before and found.before:
                    before = found.before
                    continue
                return Verdict(NONE, f"no answer: {why}")
        why = heard.why or "it told something else than an answer"
        return Verdict(FAIL, f"its cell was ended: {why}", certain=heard.ended not in (TIME, CPU))


def _work(before: Sequence[str], text: str) -> Any:
    from workbench.classroom.grading.cells import answer_after

    return answer_after(before, text)


def _has_class(text: str) -> bool:
    """Tell whether a class begins in the text, which is not parsed here: a text can be made to crash a parser."""
    return any(line.startswith("class ") for line in text.splitlines())
