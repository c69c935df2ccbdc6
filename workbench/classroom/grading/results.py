"""What students got: one result for each student and exercise, and a summary for each exercise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from workbench.classroom.exercise import Exercise
from workbench.classroom.exercises import EXERCISES
from workbench.classroom.grading.course import Graded
from workbench.classroom.grading.judge import BROKE_OFF, PASS
from workbench.classroom.grading.one import Row
from workbench.printable import printable

_LONGEST = 400  #: characters of what is said of an answer; a part of it may be the student's own text


class Result(NamedTuple):
    """What a student got for an exercise; ``exercise`` None for a notebook of which nothing could be graded."""

    student: str
    notebook: str
    exercise: Exercise | None
    row: Row

    @property
    def said(self) -> str:
        """What is said of it, in one printable line."""
        text = printable(" ".join(self.row.said.split()))
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


class Summary(NamedTuple):
    """How a class did in one exercise."""

    exercise: Exercise
    passed: int
    handed_in: int
    commonest: str  #: the commonest of what was said of answers that did not pass; "" if all did
    times: int  #: how often it was said


def results(graded: Sequence[Graded]) -> list[Result]:
    """Return one result for each student and exercise, in the order of students and of the lab.

    Where a student has an exercise in several notebooks, the best counts, of equals the first.
    """
    best: dict[tuple[str, str], tuple[int, Result]] = {}
    for one in graded:
        for row in one.rows:
            exercise = EXERCISES.get(row.exercise)
            key = (one.student, row.exercise or str(one.path))
            have = best.get(key)
            result = Result(one.student, str(one.path), exercise, row)
            if have is None:
                best[key] = (1, result)
            else:
                better = result if row.points > have[1].row.points else have[1]
                best[key] = (have[0] + 1, better)
    found = [_noted(result, times) for times, result in best.values()]
    return sorted(found, key=lambda one: (one.student, one.exercise.number if one.exercise else 0, one.notebook))


def _noted(result: Result, times: int) -> Result:
    if times == 1:
        return result
    said = f"{result.row.said} (the best of {times} notebooks)"
    return result._replace(row=result.row._replace(said=said))


def points_of(found: Sequence[Result], student: str) -> int:
    """Return all points of a student."""
    return sum(one.row.points for one in found if one.student == student)


def students(found: Sequence[Result]) -> list[str]:
    """Return the names of all students, in order."""
    return list(dict.fromkeys(one.student for one in found))


def exercises(found: Sequence[Result]) -> list[Exercise]:
    """Return the exercises that anybody handed in, in the order of the lab."""
    names = {one.exercise.name for one in found if one.exercise}
    return [exercise for name, exercise in EXERCISES.items() if name in names]


def summaries(found: Sequence[Result]) -> list[Summary]:
    """Return a summary for each exercise."""
    made = []
    for exercise in exercises(found):
        own = [one for one in found if one.exercise is exercise]
        failing = Counter(one.said for one in own if one.row.verdict != PASS)
        said, times = min(failing.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
        made.append(Summary(exercise, len(own) - failing.total(), len(own), said, times))
    return made


def broke_off(found: Sequence[Result]) -> bool:
    """Tell whether the judge itself failed somewhere."""
    return any(one.row.verdict == BROKE_OFF for one in found)


def record(one: Result, *, times: bool) -> dict[str, Any]:
    """Return a result as a flat record."""
    row = one.row
    found: dict[str, Any] = {
        "student": one.student,
        "notebook": one.notebook,
        "exercise": one.exercise.name if one.exercise else None,
        "verdict": row.verdict,
        "points": row.points,
        "of": one.exercise.points if one.exercise else None,
        "said": one.said,
        "ran": row.ran or None,
    }
    return found | ({"seconds": round(row.seconds, 1)} if times else {})
