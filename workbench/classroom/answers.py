"""Answers of students: what is wrong with their shape, and a design as a file that can be run.

An answer may be anything. Whatever cannot be run is told in one sentence: what was given, where, what is expected.
"""

from __future__ import annotations

import linecache
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.core.rules.place import by_author, raised, said
from workbench.core.rules.text import module_file
from workbench.errors import WorkbenchError, unknown
from workbench.measure.variants import Variant, variant

#: The most items of a list or dict, and the most characters of a text, that an answer may have.
MOST_ITEMS, MOST_TEXT = 1000, 100_000
#: The file in which a design is run, and how it is called in messages.
FILE, FOLDER = "answer.py", "workbench-answer-"


def shown(value: Any, longest: int = 60) -> str:
    """Return an answer, or a part of one, as text for a message; a long one is cut, and ``...`` is not filled in."""
    if value is ...:
        return "... (not filled in)"
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - the method is a student's
        text = f"a {type(value).__name__}, whose repr raises {type(error).__name__}"
    if " at 0x" in text:  # Python's own text of an object says where it is, and nothing else
        text = f"a {type(value).__name__}"
    return text if len(text) <= longest else f"{text[:longest]}..."


def a_number(value: Any, what: str, *, least: int = 0, most: int = 1 << 64) -> int:
    """Return a whole number of an answer; raise WorkbenchError for anything else."""
    allowed = f"from {least}" if most == 1 << 64 else f"from {least} to {most}"
    if type(value) is not int or not least <= value <= most:
        raise WorkbenchError(f"{what} is {shown(value)}; a whole number {allowed} is expected")
    return value


def a_text(value: Any, what: str, known: Sequence[str] | None = None) -> str:
    """Return a text of an answer, one of ``known`` if that is given; raise WorkbenchError for anything else."""
    if type(value) is not str or len(value) > MOST_TEXT:
        raise WorkbenchError(f"{what} is {shown(value)}; a text in quotes is expected")
    if known is not None and value not in known:
        raise unknown(what, value, known)
    return value


def a_list(value: Any, what: str) -> list[Any]:
    """Return a list (or tuple) of an answer; raise WorkbenchError for anything else."""
    if type(value) not in (list, tuple):
        raise WorkbenchError(f"{what} is {shown(value)}; a list is expected: [..., ...]")
    if len(value) > MOST_ITEMS:
        raise WorkbenchError(f"{what} has {len(value):,} items; no more than {MOST_ITEMS:,} are needed")
    return list(value)


def a_dict(value: Any, what: str, keys: Sequence[str]) -> Mapping[str, Any]:
    """Return a dict of an answer that has exactly ``keys``; raise WorkbenchError for anything else."""
    if type(value) is not dict:
        raise WorkbenchError(f"{what} is {shown(value)}; a dict is expected, with the keys {', '.join(keys)}")
    for key in keys:
        if key not in value:
            raise WorkbenchError(f"{what} has no {key!r}; its keys are {', '.join(keys)}")
    for key in value:
        if key not in keys:
            raise WorkbenchError(f"{what} has {shown(key)}; its keys are {', '.join(keys)}")
    return value


# -- from a notebook ---------------------------------------------------------------------------------------


def answer_in(source: str, kind: str) -> Any:
    """Return the answer of an answer cell, from its text alone: a design is that text, a value is computed.

    The cell runs with all rights, in a namespace of its own. Raises WorkbenchError if it cannot, or defines no answer.
    """
    if kind == "design":
        return source
    names: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(source, FILE, "exec", dont_inherit=True), names)
    except BaseException as error:
        if not by_author(error):
            raise
        why = said(error) if isinstance(error, SyntaxError) else raised(error)
        raise WorkbenchError(f"the answer cell does not run: {why}") from None
    if "answer" not in names:
        raise WorkbenchError("the answer cell defines no `answer`")
    return names["answer"]


# -- designs ---------------------------------------------------------------------------------------------


def text_of(answer: Any) -> Any:
    """Return the text of the file, or of the notebook cell, that defines a class; anything else as it is."""
    if not isinstance(answer, type):
        return answer
    file = module_file(answer)
    linecache.checkcache(file)
    text = "".join(linecache.getlines(file)) if file else ""
    if not text:
        raise WorkbenchError(f"the text of class {answer.__name__} is not at hand; define it in the answer cell")
    if answer.__module__ == "__main__" and not _called(text):
        raise WorkbenchError(
            f"the cell that defines {answer.__name__} does not say `answer = {answer.__name__}`; write both into the "
            f"answer cell, which has to run alone"
        )
    return text


@contextmanager
def design_of(answer: Any) -> Iterator[Variant]:
    """Give the design that a text defines, the class ``answer`` in it, while it is in a file of its own.

    Raises WorkbenchError for what is no text, does not load, or breaks a rule; messages name the line in the text.
    """
    text = a_text(answer, "the answer")
    folder = Path(tempfile.mkdtemp(prefix=FOLDER)).resolve()
    file = folder / FILE
    try:
        file.write_text(text, encoding="utf-8")
        yield variant(f"{file}:{_called(text)}")
    finally:
        sys.modules.pop(str(file), None)
        shutil.rmtree(folder, ignore_errors=True)


def _called(text: str) -> str:
    """Return the name of the class: ``answer`` where the text assigns that, "" for the only class."""
    return "answer" if any(line.startswith("answer") for line in text.splitlines()) else ""


def without_folder(text: str) -> str:
    """Return a message about the file of a design as one about the answer: ``answer.py:12`` is a line of the cell."""
    return " ".join(_without_folder(word) for word in text.split())


def _without_folder(word: str) -> str:
    before, found, behind = word.partition(FOLDER)
    if not found:
        return word
    path_begins = max(before.rfind(mark) for mark in "(['\"`=") + 1
    return before[:path_begins] + behind.partition("/")[2]


__all__ = [
    "FILE", "a_dict", "a_list", "a_number", "a_text", "answer_in", "design_of", "shown", "text_of", "without_folder",
]  # fmt: skip
