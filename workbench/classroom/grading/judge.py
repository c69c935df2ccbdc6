"""Judges one answer in a fenced process that has run nothing of a student's, and says what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from workbench.classroom.exercise import Exercise
from workbench.classroom.grading import design_text
from workbench.classroom.grading.confined import CPU, TIME, Heard, confined
from workbench.classroom.grading.fence import Limits
from workbench.classroom.judging import judged
from workbench.core.rules.place import raised

PASS, FAIL, NONE, BROKE_OFF = "PASS", "FAIL", "none", "BROKE OFF"
_SLACK = 10  #: seconds beyond what the exercise allows its check, which ends itself then


class Verdict(NamedTuple):
    """What came of an answer: PASS, FAIL, "none" (there was no answer) or BROKE OFF (the judge itself failed).

    ``certain`` False: a limit on time ended it, so that another run on a quicker machine may end differently.
    """

    verdict: str
    said: str
    ran: str = ""
    trace: str = ""
    certain: bool = True


def verdict_on(exercise: Exercise, answer: Any, folder: Path, *, kernel: bool = True) -> Verdict:
    """Judge ``answer``, a value or the text of a design, in a process of its own whose files are in ``folder``."""
    seconds = exercise.seconds + _SLACK
    limits = Limits(cpu=seconds, wall=3.0 * seconds, told=1 << 20)
    begun = time.monotonic()
    found = _heard(confined(_judging(exercise, answer), folder, limits, kernel=kernel))
    return found._replace(certain=found.certain and time.monotonic() - begun < exercise.seconds)


def _judging(exercise: Exercise, answer: Any) -> Callable[[Callable[[Any], None]], None]:
    """Return the work of the process: it tells one list, the fields of a Verdict."""

    def work(tell: Callable[[Any], None]) -> None:
        is_design = exercise.kind == "design"
        if is_design and (wrong := _refused(answer)):
            return tell([FAIL, wrong, "", ""])
        before = design_text.looked_at() if is_design else None
        try:
            found = judged(exercise, answer)
        except BaseException as error:  # noqa: BLE001 - the teacher is told
            return tell([BROKE_OFF, f"the judge raised {raised(error)}", "", ""])
        if is_design and design_text.looked_at() != before:
            return tell([FAIL, "the design changed the workbench that judged it", "", ""])
        return tell([PASS if found.passed is True else FAIL, found.said, found.ran, found.trace])

    return work


def _refused(answer: Any) -> str | None:
    if not isinstance(answer, str):
        return "the answer is not the text of a design"
    return design_text.complaint(answer)


def _heard(heard: Heard) -> Verdict:
    """Return the verdict that was told; a process that ended in another way than by telling one gives none."""
    match heard.told:
        case [[("PASS" | "FAIL" | "BROKE OFF") as verdict, str(said), str(ran), str(trace)]] if not heard.ended:
            return Verdict(verdict, said, ran, trace)
    why = heard.why or "it ended without a verdict"
    return Verdict(FAIL, f"the check was ended: {why}", certain=heard.ended not in (TIME, CPU))
