"""Runs a campaign: many sequences in several processes, until a given number or time; each result is recorded.

The rules kept here: the sequences depend on the seed alone, not on the number of processes or on interruptions;
every process is ended before :func:`run` returns or raises.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from workbench.durable.content import described
from workbench.durable.workers import deaf_to_signals
from workbench.errors import EngineError
from workbench.fuzz import findings
from workbench.fuzz.generate import GENERATOR
from workbench.fuzz.journal import Entry, Journal
from workbench.fuzz.worker import Done, Failed, Ready, Task, work
from workbench.protocols import find

#: Sequences queued at each worker, so that none idles while the journal is written.
_AHEAD = 2
#: Unexplained divergences after which the campaign stops, because more would add little.
MOST_FINDINGS = 10
#: The longest time, in seconds, without a message from a worker: it may shrink a divergence on a busy machine.
_SILENCE = 600.0


class Plan(NamedTuple):
    """When a campaign ends: at the first of these limits."""

    operations: int | None = None  #: in all, those of earlier runs included
    seconds: float | None = None  #: of this run


class Tally(NamedTuple):
    """The progress of a campaign."""

    sequences: int
    operations: int
    seconds: float  #: of this run, since the workers were ready
    operations_now: int  #: of this run
    known: dict[str, int]
    shown: tuple[str, ...]  #: known divergences that this KVM shows
    findings: tuple[str, ...]


def jobs_by_default() -> int:
    """Return the default number of processes: one for each CPU that we may use."""
    return len(os.sched_getaffinity(0))


def head_of(task: Task, host: str) -> dict[str, Any]:
    """Return the parameters that sequences must share to be of this campaign; ``host``: which KVM it is."""
    protocol = described(find(task.protocol))
    return {"host": host, "seed": task.seed, "length": task.length, "protocol": protocol, "generator": GENERATOR}


def run(
    task: Task, plan: Plan, journal: Journal, folder: Path, *, jobs: int, notes: tuple[str, ...] = ()
) -> Iterator[Tally]:
    """Run the campaign; yield a Tally whenever sequences are finished, and at the end.

    Findings go to ``folder`` as replay files that begin with ``notes``. Raises EngineError if a worker fails.
    """
    with _Workers(task, jobs) as workers:
        began = time.monotonic()
        before = journal.operations
        numbers = _numbers(journal)

        def tally() -> Tally:
            now = time.monotonic() - began
            done = journal.operations - before
            found = (tuple(journal.findings),)
            return Tally(len(journal.done), journal.operations, now, done, dict(journal.known), workers.shown, *found)

        def more() -> bool:
            late = plan.seconds is not None and time.monotonic() - began >= plan.seconds
            going = journal.operations + workers.in_flight * task.length
            enough = plan.operations is not None and going >= plan.operations
            return not late and not enough and len(journal.findings) < MOST_FINDINGS

        while True:
            while workers.idle and more():
                workers.give(next(numbers))
            if not workers.in_flight:
                break
            journal.add([_noted(task, each, folder, notes) for each in workers.finished()])
            yield tally()
        yield tally()


def _numbers(journal: Journal) -> Iterator[int]:
    number = 0
    while True:
        if number not in journal.done:
            yield number
        number += 1


def _noted(task: Task, done: Done, folder: Path, notes: tuple[str, ...]) -> Entry:
    """Write the finding of a sequence, if there is one; return its entry for the journal."""
    if done.small is None:
        return done.entry
    origin = f"workbench fuzz --seed {task.seed}, sequence {done.entry.sequence} of {task.length} operations"
    used = () if done.small.fresh else ("Shown only by a VM that was used before; not shrunk.",)
    name = f"divergence-{task.seed}-{done.entry.sequence}"
    said = (*notes, origin, *used)
    path = findings.write(folder, name, done.small.operations, done.small.divergence, said)
    return done.entry._replace(finding=str(path))


class _Workers:
    """The worker processes, and the sequences given to each. A context manager."""

    def __init__(self, task: Task, jobs: int) -> None:
        self.shown: tuple[str, ...] = ()
        context = multiprocessing.get_context("spawn")  # a fork would share VMs and threads of the caller
        self._open: dict[Connection, BaseProcess] = {}
        self._given: dict[Connection, int] = {}
        try:
            with deaf_to_signals():
                for number in range(jobs):
                    ours, theirs = context.Pipe()
                    process = context.Process(target=work, args=(theirs, task), name=f"fuzz-{number}", daemon=True)
                    process.start()
                    theirs.close()
                    self._open[ours], self._given[ours] = process, 0
            for connection in self._open:
                ready = self._receive(connection)
                assert isinstance(ready, Ready)
                self.shown = ready.known
        except BaseException:
            self.close(at_once=True)
            raise

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.close(at_once=kind is not None)

    @property
    def in_flight(self) -> int:
        """Sequences given and not finished."""
        return sum(self._given.values())

    @property
    def idle(self) -> bool:
        """Whether a worker can take one more sequence."""
        return min(self._given.values()) < _AHEAD

    def give(self, number: int) -> None:
        """Give a sequence to the worker that has the fewest."""
        connection = min(self._given, key=lambda one: self._given[one])
        connection.send(number)
        self._given[connection] += 1

    def finished(self) -> list[Done]:
        """Wait until sequences are finished; return all that are."""
        ready = wait([one for one, given in self._given.items() if given], _SILENCE)
        if not ready:
            raise EngineError(f"no worker has finished a sequence for {_SILENCE:g} s")
        found = []
        for connection in ready:
            assert isinstance(connection, Connection)
            while connection.poll():
                done = self._receive(connection)
                assert isinstance(done, Done)
                self._given[connection] -= 1
                found.append(done)
        return found

    def _receive(self, connection: Connection) -> Any:
        try:
            message = connection.recv()
        except EOFError:
            self._open[connection].join(1)
            code = self._open[connection].exitcode
            raise EngineError(f"a worker process ended by itself (exit code {code})") from None
        if isinstance(message, Failed):
            raise EngineError(message.reason)
        return message

    def close(self, *, at_once: bool) -> None:
        """End all processes; unless ``at_once``, by request, so that they finish what they do and close their VMs."""
        for connection in self._open:
            try:
                connection.send(None)
            except OSError:
                continue
            finally:
                connection.close()
        for process in self._open.values():
            process.join(0 if at_once else 2)
            if process.is_alive():
                process.kill()
                process.join()
