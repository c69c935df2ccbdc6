"""Measures how busy the workers of a shared command are: `python -m benchmarks.cores [--json] [--jobs N] [LINE ...]`.

A worker is busy while it has a piece of work, whether or not another program of the machine has its processor: so the
share is the same on a machine that others use. It is told what workers waited for: *start* (until the first piece),
*between* pieces, *tail* (after its last piece, while another worker had one), *end* (after the last piece of all).
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from benchmarks._machine import where
from workbench.cli import main as workbench
from workbench.durable import pool, share
from workbench.durable.pool import Pool

#: Command lines whose work is shared, each as one argument; --jobs is added.
LINES = (
    "matrix --protocols all --events boot,migrate,kexec --features steal_time --max-states 20000",
    "matrix --protocols all --events kexec-no-teardown --max-states 20000",
    "history",
)
#: Where a worker writes the times of its pieces; what begins the work in it.
FOLDER = "BENCHMARK_CORES"
NAME = "benchmarks.cores"


@contextmanager
def timed(begin: Any, *arguments: Any) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """Begin in a worker as ``begin`` does, and write when each piece began and ended (seconds of the machine)."""
    with begin(*arguments) as (hello, work):

        def one(piece: Any) -> Any:
            began = time.monotonic()
            try:
                return work(piece)
            finally:
                with Path(os.environ[FOLDER], str(os.getpid())).open("a") as file:
                    file.write(f"{json.dumps([began, time.monotonic()])}\n")

        yield hello, one


def busy(line: str, jobs: int) -> dict[str, Any]:
    """Run a command line and return how its workers spent the time, as shares of ``jobs`` times the wall time."""
    class Timed(Pool):
        def __init__(self, jobs: int, begin: Any, arguments: Any = (), *more: Any, **options: Any) -> None:
            super().__init__(jobs, sys.modules[NAME].timed, (begin, *arguments), *more, **options)

    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        share.Pool = Timed
        began = time.monotonic()
        with redirect_stdout(io.StringIO()):
            status = workbench([*shlex.split(line), "--jobs", str(jobs)])
        ended = time.monotonic()
        share.Pool = pool.Pool
        files = [path.read_text().splitlines() for path in Path(folder).iterdir()]
    if status:
        raise SystemExit(f"{line}: status {status}")
    return spent([[*map(json.loads, lines)] for lines in files], began, ended, jobs)


def spent(found: list[list[tuple[float, float]]], began: float, ended: float, jobs: int) -> dict[str, Any]:
    """Return shares of the time of ``jobs`` workers, and the number of pieces; ``found``: a list for each worker."""
    last, whole = max(times[-1][1] for times in found if times), jobs * (ended - began)
    shares = {"busy": 0.0, "start": 0.0, "between": 0.0, "tail": 0.0, "end": 0.0}
    for times in [*found, *([[]] * (jobs - len(found)))]:
        at = began
        for number, (begin, end) in enumerate(times):
            shares["between" if number else "start"] += begin - at
            shares["busy"] += end - begin
            at = end
        shares["tail"] += last - at
        shares["end"] += ended - last
    told = {name: round(seconds / whole, 4) for name, seconds in shares.items()}
    lengths = sorted(end - begin for times in found for begin, end in times)
    return {"wall s": round(ended - began, 1), "pieces": len(lengths), "median s": round(lengths[len(lengths) // 2], 3),
            "longest s": round(lengths[-1], 2), **told}  # fmt: skip


def main() -> None:
    """Measure and print."""
    importlib.import_module(NAME)  # workers find no __main__ of this program
    parser = argparse.ArgumentParser(prog="benchmarks.cores", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("lines", nargs="*", default=LINES, metavar="LINE", help="command lines, each one argument")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    chosen = parser.parse_args()
    machine, rows = where("numpy", "numba"), []
    for line in chosen.lines:
        rows.append({"command": line, **busy(line, chosen.jobs)})
        print("  ".join(f"{name}: {value}" for name, value in rows[-1].items()), file=sys.stderr)
    print(json.dumps({"machine": machine, "jobs": chosen.jobs, "rows": rows}, indent=1) if chosen.json else machine)


if __name__ == "__main__":
    main()
