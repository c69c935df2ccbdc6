"""Reads a student's notebook, which is a stranger's file: what it has of answer cells, and what is lacking.

The file is opened to be read, and nothing else. Cells are found by their metadata, ``{"workbench": {"exercise": NAME,
"role": "answer"}}``, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from workbench.classroom.exercises import EXERCISES
from workbench.errors import WorkbenchError
from workbench.printable import printable
from workbench.reading import SyntaxWrongError, as_text, parse_json, read_bytes

SUFFIX = ".ipynb"
#: The format that is read: version 4 of nbformat, which Jupyter has written since 2015.
FORMAT = 4
_MOST_BYTES = 16 << 20  #: of a notebook
_LONGEST = 200_000  #: characters of a cell that is run
_WHAT = "notebook"


class Found(NamedTuple):
    """An answer cell that was found: its text, the code cells before it, and what is to be said of it."""

    text: str
    before: tuple[str, ...]
    note: str = ""


class Lost(NamedTuple):
    """An exercise of which traces are in the notebook, and no answer cell; ``why`` says which."""

    why: str


@dataclass(frozen=True)
class Submission:
    """What is in a notebook: by exercise, what was found of its answer, and names that are no exercise's."""

    answers: Mapping[str, Found | Lost]
    unknown: tuple[str, ...] = ()


class _Cell(NamedTuple):
    text: str
    exercise: str | None
    role: str | None


def notebooks_in(given: Sequence[Path]) -> list[tuple[str, Path]]:
    """Return (student, notebook) for all notebooks that are meant, sorted.

    A file is one student's, named as the file. In a directory, a notebook at its top is one student's, named as the
    file; all notebooks below a folder of it are those of a student named as that folder, however deep they are (so
    nbgrader's ``submitted/STUDENT/ASSIGNMENT/``). A notebook that is still named as its exercise, ``06-repair.ipynb``,
    says nothing of a student: at the top of a directory it is that of one student named as the directory.
    Copies that Jupyter makes for itself are left out.
    A link in a directory is not followed (``content_of``): it may lead to another student's notebook, or to a solution.
    Raises WorkbenchError for what does not exist and for a directory without notebooks.
    """
    found: dict[Path, str] = {}
    for path in given:
        if path.is_dir():
            below = sorted(one for one in path.rglob(f"*{SUFFIX}") if not _is_hidden(one.relative_to(path)))
            if not below:
                raise WorkbenchError(f"directory {str(path)!r} has no notebooks (*{SUFFIX})")
            for one in below:
                parts = one.relative_to(path).parts
                found.setdefault(one, parts[0] if len(parts) > 1 else _student_at_the_top(one))
        elif path.exists() or path.is_symlink():
            found.setdefault(path, path.stem)
        else:
            raise WorkbenchError(f"{_WHAT} {str(path)!r} does not exist")
    return sorted((printable(student), path) for path, student in found.items())


def _student_at_the_top(notebook: Path) -> str:
    unnamed = {exercise.file for exercise in EXERCISES.values()}
    return notebook.absolute().parent.name if notebook.name in unnamed else notebook.stem


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def content_of(path: Path, *, given: bool = False) -> bytes:
    """Return the bytes of a notebook; raise WorkbenchError, without its path, if it cannot be read or is too long.

    ``given``: the user has named it, so that it may be a link.
    """
    if path.is_symlink() and not given:
        raise WorkbenchError("it is a link; a notebook is expected")
    try:
        content = read_bytes(path, _WHAT)
    except WorkbenchError as error:
        raise WorkbenchError(str(error).replace(f" {str(path)!r}", "")) from None
    if len(content) > _MOST_BYTES:
        raise WorkbenchError(f"{_WHAT} is longer than {_MOST_BYTES >> 20} MiB; let its outputs be cleared")
    return content


def read(content: bytes, exercises: Sequence[str]) -> Submission:
    """Return what a notebook holds of ``exercises``; raise WorkbenchError if it is none."""
    text = as_text(content, "not a notebook")
    try:
        cells = list(_cells(parse_json(text)))
    except SyntaxWrongError as error:
        raise WorkbenchError(f"not a notebook: {error}") from None
    named = {cell.exercise for cell in cells if cell.exercise is not None}
    answers: dict[str, Found | Lost] = {}
    for name in exercises:
        one = _answer(name, cells)
        if one is not None:
            answers[name] = one
    return Submission(answers, tuple(sorted(named - set(exercises))))


def _answer(name: str, cells: Sequence[_Cell]) -> Found | Lost | None:
    """Return the answer cell of an exercise: the last one, as a run from the top to the bottom would leave it."""
    places = [number for number, cell in enumerate(cells) if (cell.exercise, cell.role) == (name, "answer")]
    if places:
        before = tuple(cell.text for cell in cells[: places[-1]] if cell.role != "check")
        note = f"the last of {len(places)} answer cells" if len(places) > 1 else ""
        return Found(cells[places[-1]].text, before, note)
    if any(cell.exercise == name for cell in cells):
        return Lost("its check cell is there, its answer cell is not: it was deleted, or has lost its metadata")
    calls = (f'check("{name}"', f"check('{name}'")
    if any(call in cell.text for cell in cells for call in calls):
        return Lost("it is there, but its cells have lost their metadata: copy the answer into the original notebook")
    return None


def _cells(notebook: Any) -> Iterator[_Cell]:
    """Yield the code cells; raise WorkbenchError for what is no notebook."""
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise WorkbenchError("not a notebook: it is JSON without nbformat")
    if notebook["nbformat"] != FORMAT or not isinstance(notebook.get("cells"), list):
        said = str(notebook["nbformat"])[:20]
        raise WorkbenchError(f"a notebook of format {said}; open it in JupyterLab and save it again (format {FORMAT})")
    for cell in notebook["cells"]:
        if not isinstance(cell, dict):
            raise WorkbenchError("not a notebook: a cell is not an object")
        if cell.get("cell_type") == "code":
            yield _Cell(_text(cell.get("source")), *_marks(cell.get("metadata")))


def _text(source: Any) -> str:
    lines = source if isinstance(source, list) else [source]
    if not all(isinstance(line, str) for line in lines):
        raise WorkbenchError("not a notebook: the source of a cell is neither a text nor a list of texts")
    text = "".join(lines)
    if len(text) > _LONGEST:
        raise WorkbenchError(f"a cell has {len(text):,} characters; no more than {_LONGEST:,} are read")
    return text


def _marks(metadata: Any) -> tuple[str | None, str | None]:
    marks = metadata.get("workbench") if isinstance(metadata, dict) else None
    if not isinstance(marks, dict):
        return None, None
    exercise, role = marks.get("exercise"), marks.get("role")
    return (exercise if isinstance(exercise, str) else None), (role if isinstance(role, str) else None)
