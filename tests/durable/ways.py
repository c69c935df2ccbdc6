"""One matrix in every way in which its searches can be shared out; in one of them a worker is killed half-way.

``python -m tests.durable.ways [small | large]`` does it in each way, compares text, CSV, JSON and page byte by byte
with those of the first way, and prints what it saw.
"""

import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from workbench.checking.failures import Failure
from workbench.cli import main
from workbench.durable.store import FILE
from workbench.measure.exploration import tasks
from workbench.measure.exploration.explore import Exploration, Question
from workbench.present.progress import Progress

MATRICES = {
    "small": "--protocols generic,per_feature --vcpus 1 --features steal_time "
    "--events boot,kexec,migrate,init,crash,overlap,ignore-msrs,kexec-no-teardown",
    "large": "--protocols generic,per_feature --events boot,kexec,migrate,descriptor-race",
}
OUTPUTS = ("text", "csv", "json", "page")


@dataclass
class Way:
    """How searches are shared; ``threads``: of the explorer in one process; ``kills``: one of two workers, half-way."""

    name: str
    options: str
    threads: int = 0
    kills: bool = False


WAYS = (
    Way("one process, one thread", "--jobs 1", threads=1),
    Way("one process, two threads", "--jobs 1", threads=2),
    Way("two processes", "--jobs 2"),
    Way("two Dask workers", "--cluster local:2"),
    Way("two Dask workers, one killed", "--cluster local:2", kills=True),
)


@dataclass
class Seen:
    """What one command told: each search that was done; and how many pieces the worker had that was killed."""

    told: list[tuple[int, int, str]] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def each_once(self) -> bool:
        """Whether every search was told once, and counted once."""
        numbers, totals, searches = zip(*self.told, strict=True)
        return numbers == tuple(range(1, totals[0] + 1)) and len(set(searches)) == len(searches)


@dataclass
class Ran:
    """The outputs of a matrix, what the command that searched has told, and how many pieces its state holds."""

    outputs: dict[str, bytes]
    seen: Seen
    kept: int
    seconds: float  #: of that command
    engines: Counter[str]  #: how many searches each of the explorer's engines made, where that is known

    def check(self, other: "Ran") -> None:
        """Assert that it has the bytes of another one, and that every search counts once."""
        assert [name for name in OUTPUTS if self.outputs[name] != other.outputs[name]] == []
        assert self.seen.each_once()
        assert self.kept == len(self.seen.told) == len(other.seen.told)


def ran(way: Way, what: str, folder: Path) -> Ran:
    """Make the outputs of a matrix in one way, in a new folder.

    The searches of the JSON are kept: text and CSV are written from them, the page after those again that have traces.
    """
    folder.mkdir()
    state, began, engines = folder / "state", time.monotonic(), Counter[str]()
    with pytest.MonkeyPatch.context() as patch:
        if way.threads:
            explore_with(patch, way.threads, engines)
        with watched(way.kills) as seen:
            command(f"matrix {what} --format json {way.options} --state {state}", folder / "json")
        seconds = time.monotonic() - began
        command(f"page matrix {what} {way.options} --state {state}", folder / "page")
    for form in ("text", "csv"):
        command(f"matrix {what} --format {form} --jobs 1 --state {state}", folder / form)
    return Ran({name: (folder / name).read_bytes() for name in OUTPUTS}, seen, kept(state), seconds, engines)


def command(line: str, out: Path) -> None:
    """Run a command line of this program."""
    status = main([*line.split(), "-o", str(out)])
    assert status == 0, (line, status)


def explore_with(patch: pytest.MonkeyPatch, threads: int, engines: Counter[str]) -> None:
    """Let each search of this process have so many threads; count by which engine they are made."""

    def explored(question: Question, failures: Sequence[Failure], **options: Any) -> Exploration:
        found = real(question, failures, **{**options, "jobs": threads})
        engines[found.result.engine] += 1
        return found

    real = tasks.explored
    patch.setattr(tasks, "explored", explored)


@contextmanager
def watched(kills: bool) -> Iterator[Seen]:
    """Yield what the command of the block tells; ``kills``: a worker is killed when half of the searches are done."""
    seen = Seen()

    def tell(done: int, of: int, task: Any) -> None:
        seen.told.append((done, of, f"{task.variant.label} {task.event.name} {task.size}"))
        if kills and done == of // 2:
            seen.lost.append(kill_a_worker())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "searches", lambda progress, *about, **more: tell)
        yield seen


def kill_a_worker() -> int:
    """Kill the Dask worker that has most to do, by SIGKILL; return how many pieces it had."""
    from distributed import Client

    (client,) = (one for one in Client._instances if one.status == "running")
    processes, pieces = client.run(os.getpid), client.processing()
    busiest = max(pieces, key=lambda address: len(pieces[address]))
    os.kill(processes[busiest], signal.SIGKILL)
    return len(pieces[busiest])


def kept(state: Path) -> int:
    """Return how many pieces a state holds."""
    with closing(sqlite3.connect(state / FILE)) as database:
        ((number,),) = database.execute("SELECT count(*) FROM pieces")
    return int(number)


def report(what: str, folder: Path) -> None:
    """Print how each way went."""
    first = None
    for number, way in enumerate(WAYS):
        found = ran(way, MATRICES[what], folder / str(number))
        first = first or found
        found.check(first)
        said = [f"{way.name}: {len(found.seen.told)} searches in {found.seconds:.1f} s", f"{found.kept} kept"]
        said += [f"{found.engines['numba']} in compiled loops"] if way.threads else []
        said += [f"killed with {found.seen.lost[0]} in hand"] if way.kills else []
        print(", ".join([*said, f"{sum(map(len, found.outputs.values()))} bytes, the same"]), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        report((sys.argv[1:] or ["small"])[0], Path(folder))
