"""Runs cells of a student's as a notebook would, and makes plain data of the answer. Runs behind the fence alone.

What the cells do to this process does not matter: an answer is all that leaves it, and whoever gives a right answer has
it right, however it came about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from workbench.classroom.answers import shown, text_of
from workbench.core.rules.place import said
from workbench.errors import WorkbenchError

NAME = "answer"  #: the variable in which a cell leaves its answer
_DEEPEST = 50  #: levels of lists and dicts in one another
_MOST_BITS = 1024  #: of a whole number
_KINDS = (type(None), bool, int, float, str)


class _Shell(InteractiveShell):
    """IPython without a terminal: no history, no windows."""

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: figures are drawn into files."""

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: nobody sees it."""

    def showsyntaxerror(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: nobody sees it."""


def answer_after(before: Sequence[str], cell: str) -> Callable[[Callable[[Any], None]], None]:
    """Return the work that runs the cells ``before``, then ``cell``, and tells its answer.

    What is told is ``{"answer": value}``, or ``{"none": why there is none, "kind": type of the exception}``.
    """

    def work(tell: Callable[[Any], None]) -> None:
        shell = _shell()
        for text in before:
            _run(shell, text)
            shell.user_ns.pop(NAME, None)
        error = _run(shell, cell)
        if NAME in shell.user_ns:
            with suppress(RecursionError):
                return tell(_told(shell.user_ns[NAME]))
            return tell({"none": "its value cannot be read to its end", "kind": ""})
        if error is not None:
            return tell({"none": f"its cell raises {_said(error)}"[:300], "kind": type(error).__name__})
        return tell({"none": f"its cell leaves nothing in `{NAME}`", "kind": ""})

    return work


def _shell() -> InteractiveShell:
    readme = Path.home() / ".ipython" / "profile_default" / "startup" / "README"
    readme.parent.mkdir(parents=True)
    readme.touch()  # IPython would copy one, with its permissions, which the fence refuses
    config = Config()
    config.HistoryManager.enabled = False
    shell: InteractiveShell = _Shell.instance(config=config)
    return shell


def _run(shell: InteractiveShell, text: str) -> BaseException | None:
    found = shell.run_cell(text, silent=True)
    error: BaseException | None = found.error_before_exec or found.error_in_exec
    return error


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} (line {error.lineno})"
    return said(error)


def _told(value: Any) -> dict[str, Any]:
    try:
        return {"answer": plain(text_of(value), NAME)}
    except WorkbenchError as error:
        return {"none": str(error), "kind": ""}


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return an answer as JSON's values, tuples as lists; raise WorkbenchError with the place of what is none."""
    if depth > _DEEPEST:
        raise WorkbenchError(f"{NAME} has lists in lists, more than {_DEEPEST} deep")
    if type(value) in _KINDS:
        return _number(value, where) if type(value) in (int, float) else value
    if type(value) in (list, tuple):
        return [plain(one, f"{where}[{number}]", depth + 1) for number, one in enumerate(value)]
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise WorkbenchError(f"{where} has the key {shown(key)}; keys are texts")
        return {key: plain(one, f"{where}[{key!r}]", depth + 1) for key, one in value.items()}
    if value is ...:
        raise WorkbenchError(f"{where} is ... (not filled in)")
    kinds = "numbers, texts, lists, dicts, True, False and None"
    raise WorkbenchError(f"{where} is {shown(value)}, of type {type(value).__name__}; answers are made of {kinds}")


def _number(value: Any, where: str) -> Any:
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise WorkbenchError(f"{where} is a number of {value.bit_length():,} bits; {_MOST_BITS:,} are allowed")
    if isinstance(value, float) and not math.isfinite(value):
        raise WorkbenchError(f"{where} is {value}, which is no number")
    return value
