"""Grades many notebooks, several at once; what is finished can be kept, and is not done again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from workbench.classroom.exercises import EXERCISES, choose_one
from workbench.classroom.grading.fence import why_not
from workbench.classroom.grading.judge import NONE
from workbench.classroom.grading.one import CELLS, Row, grade
from workbench.classroom.grading.submission import content_of, notebooks_in
from workbench.durable.guard import guarded_folder
from workbench.durable.share import Jobs, answers, pool_of
from workbench.durable.store import NONE as KEPT_NOWHERE
from workbench.durable.store import Store
from workbench.errors import WorkbenchError

_WHAT = "notebooks"
#: The number of a notebook, and its content.
_Piece = tuple[int, bytes]


class Graded(NamedTuple):
    """The rows of one notebook of a student."""

    student: str
    path: Path
    rows: tuple[Row, ...]


def grade_all(
    given: Sequence[Path],
    names: Sequence[str] | None = None,
    *,
    jobs: Jobs = 1,
    kernel: bool = True,
    progress: Callable[[int, int], None] = lambda done, of: None,
    state: Store = KEPT_NOWHERE,
) -> list[Graded]:
    """Grade the notebooks that ``given`` files and directories mean, for the exercises ``names`` (all if None).

    ``jobs`` processes, or a cluster (``durable.cluster``), share the work. ``progress``: (done, of how many). Raises
    WorkbenchError for what does not exist and for an unknown exercise; what is wrong with one notebook is a row.
    """
    asked = choose(names)
    found = notebooks_in(given)
    first = [_digest(path, path in given) for _, path in found]
    batch = state.batch(_WHAT, [[digest, asked, kernel, list(CELLS)] for digest, _ in first])
    rows = {number: [Row(*row) for row in batch.get(number)] for number in batch.kept}
    rows |= {number: [Row("", NONE, 0, why)] for number, (_, why) in enumerate(first) if why}
    progress(len(rows), len(found))
    left = [number for number in range(len(found)) if number not in rows]
    pieces = ((number, found[number][1], found[number][1] in given) for number in left)
    for number, graded in _shared_out(pieces, len(left), asked, jobs, kernel):
        rows[number] = graded
        if all(row.certain for row in graded):
            batch.keep(number, graded)
        progress(len(rows), len(found))
    return [Graded(student, path, tuple(rows[number])) for number, (student, path) in enumerate(found)]


def choose(names: Sequence[str] | None) -> list[str]:
    """Return the names of exercises in the order of the lab, all if None; raise WorkbenchError for an unknown one."""
    for name in names or ():
        choose_one(name)
    return [name for name in EXERCISES if names is None or name in names]


def _digest(path: Path, given: bool) -> tuple[str, str]:
    """Return a digest of a notebook's content, and why it cannot be read, "" if it can."""
    try:
        return hashlib.sha256(content_of(path, given=given)).hexdigest(), ""
    except WorkbenchError as error:
        return "", str(error)


def _shared_out(
    left: Iterable[tuple[int, Path, bool]], many: int, asked: Sequence[str], jobs: Jobs, kernel: bool
) -> Iterator[tuple[int, list[Row]]]:
    """Yield the number and the rows of each notebook that is ``left``, as soon as somebody has graded it.

    ``left``: of each its number, its path, and whether the user has named it; ``many``: how many these are.
    """
    if not many:
        return
    changed: list[tuple[int, list[Row]]] = []

    def pieces() -> Iterator[_Piece]:
        for number, path, given in left:
            try:
                yield number, content_of(path, given=given)
            except WorkbenchError as error:  # it has changed meanwhile
                changed.append((number, [Row("", NONE, 0, str(error), certain=False)]))

    with pool_of(min(jobs, many) if isinstance(jobs, int) else jobs, _grading, [asked, kernel]) as workers:
        yield from answers(workers, pieces())
    yield from changed


@contextmanager
def _grading(
    asked: Sequence[str], kernel: bool
) -> Iterator[tuple[None, Callable[[_Piece], tuple[int, list[Row]]]]]:
    """Begin in a worker (``durable.share``); ``kernel``: its kernel has to fence students' programs off."""
    from workbench.classroom.grading import cells  # noqa: F401 - loaded here once, and not in each process that it forks

    missing = why_not() if kernel else None
    if missing is not None:
        raise WorkbenchError(f"students' programs cannot be fenced off at a worker: {missing}")
    with guarded_folder() as folder:
        yield None, lambda piece: (piece[0], grade(piece[1], asked, folder, kernel=kernel))
