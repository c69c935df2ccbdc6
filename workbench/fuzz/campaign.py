"""Runs a campaign: many sequences in several processes, until a given number or time; each result is recorded.

The rules kept here: the sequences depend on the seed alone, not on the number of processes or on interruptions;
every process is ended before :func:`run` returns or raises.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import chain, count
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from workbench.durable.content import described
from workbench.durable.cores import cores
from workbench.durable.share import Jobs, pool_of
from workbench.fuzz import findings
from workbench.fuzz.generate import GENERATOR
from workbench.fuzz.journal import Count, Entry, Journal
from workbench.fuzz.worker import Done, Shown, Task, working
from workbench.protocols import find

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
    known: dict[str, int]  #: explained differences, by known divergence or exclusion
    findings: tuple[str, ...]
    seconds: float  #: of this run, since the workers were ready
    operations_now: int  #: of this run
    shown: Shown


def jobs_by_default() -> int:
    """Return the default number of processes: one for each CPU that we may use."""
    return cores()


def head_of(task: Task, host: str) -> dict[str, Any]:
    """Return the parameters that sequences must share to be of this campaign; ``host``: which KVM it is."""
    protocol = described(find(task.protocol))
    return {"host": host, "seed": task.seed, "length": task.length, "protocol": protocol, "generator": GENERATOR}


def run(
    task: Task, plan: Plan, journal: Journal, folder: Path, *, jobs: Jobs, notes: tuple[str, ...] = (),
    host: str | None = None,
) -> Iterator[Tally]:  # fmt: skip
    """Run the campaign; yield a Tally whenever sequences are finished, and one of what counts at the end.

    Findings go to ``folder`` as replay files that begin with ``notes``. ``host``: which KVM all workers must have.
    Raises EngineError if a worker fails.
    """
    record = _Recorder(task, plan, journal, folder, notes)
    with pool_of(jobs, working, [task, host], needs="KVM") as workers:
        began, before = time.monotonic(), journal.operations
        end = max(journal.done, default=-1) + 1
        gaps = [number for number in range(end) if number not in journal.done]  # a killed campaign leaves some
        numbers = chain(gaps, count(end))

        def tally(counted: Count) -> Tally:
            return Tally(*counted, time.monotonic() - began, journal.operations - before, workers.hello[0])

        def more() -> bool:
            if plan.seconds is not None and time.monotonic() - began >= plan.seconds:
                return False
            going = journal.operations + workers.in_flight * task.length
            enough = plan.operations is not None and going >= plan.operations and journal.upto >= end
            return not enough and len(journal.findings) < MOST_FINDINGS

        while True:
            while workers.idle and more():
                workers.give(next(numbers))
            if not workers.in_flight:
                break
            record.add(workers.finished(_SILENCE))
            yield tally(journal.so_far())
        yield tally(journal.first(inf if plan.operations is None else plan.operations, MOST_FINDINGS))


class _Recorder:
    """Records finished sequences at once, but divergences in the order of the sequences, as far as they are counted.

    Which sequences are finished beyond the limit of a campaign depends on the number of processes; a divergence there
    would otherwise be written by some and not by others. A longer campaign finds it.
    """

    def __init__(self, task: Task, plan: Plan, journal: Journal, folder: Path, notes: tuple[str, ...]) -> None:
        self._task, self._plan, self._journal, self._folder, self._notes = task, plan, journal, folder, notes
        self._held: dict[int, Done] = {}

    def add(self, finished: Iterable[Done]) -> None:
        for done in finished:
            if done.small is None:
                self._journal.add([done.entry])
            else:
                self._held[done.entry.sequence] = done
        while self._journal.upto in self._held and self._wanted():
            self._journal.add([self._noted(self._held.pop(self._journal.upto))])

    def _wanted(self) -> bool:
        enough = self._plan.operations is not None and self._journal.before >= self._plan.operations
        return not enough and len(self._journal.findings) < MOST_FINDINGS

    def _noted(self, done: Done) -> Entry:
        """Write the finding of a sequence; return its entry for the journal."""
        assert done.small is not None
        number = done.entry.sequence
        origin = f"workbench fuzz --seed {self._task.seed}, sequence {number} of {self._task.length} operations"
        used = () if done.small.fresh else ("Shown only by a VM that was used before; not shrunk.",)
        name, said = f"divergence-{self._task.seed}-{number}", (*self._notes, origin, *used)
        path = findings.write(self._folder, name, done.small.operations, done.small.divergence, said)
        return done.entry._replace(finding=str(path))
