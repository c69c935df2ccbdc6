"""Puts questions to the package, changed or not, in processes forked from one that has loaded the slow libraries."""

import json
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation import questions
from tests.mutation.changed import install, record_lines
from tests.mutation.mutants import Mutant
from tests.mutation.questions import Answer, Question

#: A question that takes more than this many times its usual time, plus some seconds, hangs. The time is the process's
#: own: a machine that is busy with something else must not make a change seen.
PATIENCE, LEAST = 20, 20.0


@dataclass(frozen=True)
class Usual:
    """The answer of the unchanged package, how long it took, and which lines of the observed files ran."""

    answer: Answer
    seconds: float
    lines: frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Seen:
    """A cell that a change makes differ: ``before`` and ``after`` are the texts of the cell."""

    question: Question
    cell: str
    before: str
    after: str


class Child:
    """A forked process that runs ``work`` and sends back its result as JSON."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._read)
            _run(work, write)
        os.close(write)
        self._data = b""

    def fileno(self) -> int:
        """The end of the pipe on which the result arrives."""
        return self._read

    def arrived(self) -> bool:
        """Read what there is; tell whether the process has ended."""
        part = os.read(self._read, 1 << 16)
        self._data += part
        return not part

    def result(self) -> Any:
        """Return the result; None if the process died."""
        os.close(self._read)
        os.waitpid(self.pid, 0)
        return json.loads(self._data) if self._data else None

    def kill(self) -> None:
        """End the process."""
        os.kill(self.pid, signal.SIGKILL)
        self.result()


def _run(work: Callable[[], Any], write: int) -> None:
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            data = json.dumps(work()).encode()
        with os.fdopen(write, "wb") as pipe:
            pipe.write(data)
    finally:
        os._exit(0)


def in_child(work: Callable[[], Any], seconds: float = math.inf) -> Any:
    """Return what ``work`` returns in a process of its own; None if that process dies, or has not ended by then."""
    child, end = Child(work), time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            if select.select([child], [], [], min(left, 60.0))[0] and child.arrived():
                return child.result()
    except BaseException:
        child.kill()
        raise
    child.kill()
    return None


def warm_up() -> None:
    """Load what every process needs and no change concerns."""
    import numba  # noqa: F401  (the search would load it in every process)

    import workbench.engines.explore.numba_search.engine  # noqa: F401


def usually(asked: Sequence[Question], files: Sequence[str]) -> list[dict[str, Any]]:
    """Ask the unchanged package, in a process of its own; the seconds include the recording of lines."""
    found, lines = [], record_lines(files)
    for question in asked:
        lines.clear()
        begun = time.process_time()
        answer = questions.answer(question)
        seconds = time.process_time() - begun
        found.append({"question": question, "answer": answer, "seconds": seconds, "lines": sorted(lines)})
    return found


class _TooLongError(Exception):
    pass


def first_difference(mutant: Mutant, asked: Sequence[tuple[Question, Usual]]) -> Seen | None:
    """In a process of its own: ask the changed package in this order; return the first cell that differs."""

    def too_long(number: int, frame: Any) -> None:
        raise _TooLongError

    def everything() -> Seen | None:
        try:
            install({mutant.file: mutant.changed})
            signal.signal(signal.SIGPROF, too_long)
            for question, usual in asked:
                signal.setitimer(signal.ITIMER_PROF, LEAST + PATIENCE * usual.seconds)
                if difference := _difference(question, usual.answer):
                    return difference
        except (Exception, SystemExit) as error:  # noqa: BLE001  (a changed file may raise anything)
            return Seen(asked[0][0], "the file", "loads", f"{type(error).__name__}: {error}")
        return None

    return everything()


def _difference(question: Question, before: Answer) -> Seen | None:
    try:
        after = questions.answer(question)
    except _TooLongError:
        return Seen(question, "all", "answered", "hangs")
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return Seen(question, "all", "answered", f"{type(error).__name__}: {error}")
    for cell in (*before, *after):
        if before.get(cell) != after.get(cell):
            return Seen(question, cell, str(before.get(cell)), str(after.get(cell)))
    return None


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)
