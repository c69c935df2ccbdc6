"""What the cells of an exercise call: ``check`` and ``hint``."""

from __future__ import annotations

import sys
from collections import Counter
from textwrap import fill
from typing import Any

from workbench.classroom.answers import text_of
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.exercises import choose_one
from workbench.classroom.judging import judged
from workbench.errors import WorkbenchError
from workbench.present.text.command_line import command_lines
from workbench.present.text.table import WIDTH

#: How many hints of an exercise have been given in this process.
_GIVEN: Counter[str] = Counter()


class NotPassedError(AssertionError):
    """An answer that does not pass. A notebook shows its text, and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def check(name: str, answer: Any) -> bool:
    """Run ``answer`` (a value, a class, or the text of a design), print what passed, and return True.

    Raises NotPassedError, an AssertionError, with what the run showed; WorkbenchError for an unknown exercise.
    """
    exercise = choose_one(name)
    try:
        found = judged(exercise, text_of(answer))
    except WorkbenchError as error:
        found = Judged(False, str(error))
    if not found.passed:
        raise NotPassedError(report(exercise, found))
    sys.stdout.write(f"{report(exercise, found)}\n")
    return True


def report(exercise: Exercise, found: Judged) -> str:
    """Return what a check found as text: the sentence, the steps that show it, the line that shows it again."""
    head = "PASS" if found.passed else "not yet"
    parts = [_filled(f"{head}  {found.said}")]
    if found.trace:
        parts.append(found.trace.rstrip("\n"))
    if found.ran:
        parts += _ran(found.ran)
    if not found.passed:
        parts.append(f'  stuck? hint("{exercise.name}")')
    return "\n".join(parts)


def hint(name: str) -> None:
    """Print the next hint of an exercise: the first, the second, the third, which is then repeated."""
    exercise = choose_one(name)
    number = min(_GIVEN[name], len(exercise.hints) - 1)
    _GIVEN[name] += 1
    text = f"Hint {number + 1} of {len(exercise.hints)}: {exercise.hints[number]}"
    sys.stdout.write(f"{_filled(text)}\n")


def _filled(text: str, indent: str = "") -> str:
    return fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip


def _ran(ran: str) -> list[str]:
    """Return what was run in lines that can be pasted: a command is broken by backslashes, a call between arguments."""
    command, *options = ran.split(" --")
    if not options:
        return [_filled(f"ran: {ran}", "  ")]
    return command_lines([command, *(f"--{option}" for option in options)], "  ran: ")


__all__ = ["NotPassedError", "check", "hint", "report"]
