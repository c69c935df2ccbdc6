"""What workers do for the verdict score (``workbench.durable.share``): each piece in a forked process with an end.

A worker of another machine needs this checkout at the same path: ``tests`` is not part of what is installed.
"""

import hashlib
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

from tests.mutation.asking import Seen, Usual, first_difference, in_child, usually, warm_up
from tests.mutation.changed import ROOT
from tests.mutation.mutants import Mutant
from tests.mutation.questions import Question
from workbench.classroom.grading.fence.libc import prctl
from workbench.errors import EngineError

#: Seconds after which a process is ended that does not notice by itself that it hangs.
WALL = 3600.0
_PR_SET_PDEATHSIG = 1


class Unchanged(NamedTuple):
    """Questions to the unchanged package; the lines of ``files`` that run are recorded."""

    asked: Sequence[Question]
    files: Sequence[str]

    def answer(self) -> Any:
        """Return a record for each question."""
        return usually(self.asked, self.files)


class Changed(NamedTuple):
    """A change, and the questions that can notice it with their usual answers, in the order in which they are put."""

    mutant: Mutant
    plan: Sequence[tuple[Question, Usual]]

    def answer(self) -> Any:
        """Return what was seen as a record; an empty one for nothing."""
        return told(first_difference(self.mutant, self.plan))


def told(seen: Seen | None) -> dict[str, Any]:
    """Return what was seen as a record; an empty one for nothing."""
    return {} if seen is None else asdict(seen)


def state_of(*folders: str) -> str:
    """Return a digest of the Python files of these folders of the checkout."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


@contextmanager
def working(state: str) -> Iterator[tuple[None, Callable[[tuple[Any, Unchanged | Changed]], tuple[Any, Any]]]]:
    """Begin in a worker; a piece is (name, work), its answer (name, result), or (name, None) if its process died.

    ``state``: that of the checkout that asks. Raises EngineError where the worker has another one.
    """
    if state != state_of("workbench", "tests/mutation"):
        raise EngineError(f"a worker has other files in {ROOT}: update its checkout")
    warm_up()
    yield None, _done


def _done(piece: tuple[Any, Unchanged | Changed]) -> tuple[Any, Any]:
    name, work = piece

    def alone() -> Any:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # gone with the worker
        return work.answer()

    return name, in_child(alone, WALL)
