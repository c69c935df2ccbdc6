"""Judges an answer: whatever it is and does, the result is a Judged with one clear sentence."""

from __future__ import annotations

from typing import Any

from workbench.classroom.answers import shown, without_folder
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.exercises import choose_one
from workbench.classroom.limits import TimeIsUp, limited
from workbench.core.rules.place import by_author, raised, said
from workbench.errors import WorkbenchError


def judged(exercise: str | Exercise, answer: Any, *, seconds: float | None = None) -> Judged:
    """Return what the check of an exercise says of ``answer``; an answer that cannot be run has not passed.

    ``answer``: a value, or the text of a design. ``seconds``: the limit, if not the exercise's own. Raises
    WorkbenchError for the name of no exercise, and KeyboardInterrupt; nothing else, whatever the answer does.
    """
    asked = choose_one(exercise) if isinstance(exercise, str) else exercise
    most = asked.seconds if seconds is None else seconds
    with limited(most) as clock:
        try:
            found = _judged(asked, answer)
        except TimeIsUp:
            found = Judged(False, "")
    if clock.rang:  # also if the answer caught it, or if it was told as the answer's own fault
        return Judged(False, f"the check was broken off after {most:g} seconds: does a loop never end?")
    return found._replace(said=without_folder(found.said), ran=without_folder(found.ran))


def _judged(asked: Exercise, answer: Any) -> Judged:
    if answer is None or answer is ...:
        return Judged(False, f"the answer is {shown(answer)}; fill in the answer cell and run it")
    try:
        return asked.judge(answer)
    except WorkbenchError as error:
        return Judged(False, _told(error))
    except (MemoryError, RecursionError) as error:
        return Judged(False, f"the answer needs too much memory or calls itself without end ({type(error).__name__})")
    except BaseException as error:
        if isinstance(error, TimeIsUp) or not by_author(error):
            raise
        return Judged(False, _raised(error))


def _told(error: WorkbenchError) -> str:
    """Return an error as text; where an engine tells of an exception of the answer's, that exception alone."""
    cause = error.__cause__
    return str(error) if cause is None or isinstance(cause, WorkbenchError) else _raised(cause)


def _raised(error: BaseException) -> str:
    return f"the answer raised {said(error) if isinstance(error, SyntaxError) else raised(error)}"


__all__ = ["judged"]
