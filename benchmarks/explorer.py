"""Compares the explorer with SPIN on the same model in the same run: `python -m benchmarks.explorer [--json]`.

Rule kept here: the tools do the same work. SPIN verifies the text that the explorer derives from the same
rules; both count the same states or the row says so. SPIN is compiled with `-o2` at generation (else it
hides variables that are only written), `-O2 -DSAFETY -DNOREDUCE` (all states; the reduction finds nothing to
leave out here) and run with a hash table of the right size (`-w`); no lossy compression. All check the
conjunction of all properties (`ANY`) in every state. Each tool runs in its own process, one after the other,
interleaved; medians over `--runs`. A row `numba 2` has two threads; SPIN's parallel search is `spin -DBFS_PAR 2`
(`benchmarks/spin_parallel.py`). All ratios are to SPIN's search on one core in the same turn.

`*_wall_s` is the wall time of a process that has nothing loaded: start, reading the model, compiling (for SPIN:
deriving the text is not counted, generating and compiling C is), search. `*_states_per_s` and `ratio` are the
search alone, ours in a process that has made the same search before, as in a running notebook kernel, whose memory
is kept; `ratio_first` is the same without it. A ratio is that of one turn; the median, the lowest and the highest are
given. `main_s` is the processor time of the main thread, which is all that threads cannot share, at the most.
`*_bytes_per_state` is the peak of memory less that of a search of a handful of states; ours is resident
memory, SPIN's is the actual memory that it reports: visited states, hash table and stack.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.models.generic import generic
from benchmarks.models.per_feature import per_feature
from benchmarks.spin_parallel import parallel_spin
from workbench.engines.explore import Model, Rule, SpinRun, explore, explore_and_export, run_spin

PROTOCOLS: dict[str, Callable[[int, int], Model]] = {"G": generic, "P": per_feature}
DEFAULT = ["G-2-1", "G-3-1", "G-2-2", "P-2-3"]  # 5e4, 2e6, 4e6 and 1.6e7 states
HUGE = "G-4-1"  # 8.3e7 states: one run, on demand


def model_called(name: str) -> Model:
    """The model with a name like G-3-1: protocol, vCPUs, features."""
    protocol, vcpus, features = name.split("-")
    return PROTOCOLS[protocol](int(vcpus), int(features))


def ours(name: str, engine: str, symmetry: bool, cold: bool) -> dict[str, Any]:
    """Search one model in this process, warmed up and twice unless `cold`; bytes are the first peak less what was."""
    tables, _, threads = engine.partition(" ")
    if not cold:
        _warm_up(tables)
    before = _memory("VmRSS")
    first = result = explore(model_called(name), tables=tables, symmetry=symmetry, jobs=int(threads or 1))
    after, seconds, main = _memory("VmHWM"), first.seconds, 0.0
    if not cold:
        del first  # its memory is kept for the next
        began = time.thread_time()
        result = explore(model_called(name), tables=tables, symmetry=symmetry, jobs=int(threads or 1))
        main = time.thread_time() - began
    return {
        "states": result.states,
        "transitions": result.transitions,
        "seconds": result.seconds,
        "first_seconds": seconds,
        "main_seconds": main,
        "bytes": after - before,
        "hits": result.hits,
    }


def _memory(what: str) -> int:
    """Bytes of resident memory of this process, now (VmRSS) or at most so far (VmHWM); Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {what}: memory is only measured on Linux")


def _warm_up(tables: str) -> None:
    """Bring the process to the state before a second search: a million states, so that every loop runs once."""

    def counts(name: str) -> Rule:
        def tick(view: Any) -> None:
            view[name] = (view[name] + 1) % 1024

        return Rule(name, tick)

    if tables != "python":
        explore(Model({"m": 0, "n": 0}, [counts("m"), counts("n")]), tables=tables)
    if tables == "numba":
        from workbench.engines.explore.numba_search import memory

        memory.forget()  # the first search has to find its own
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the highest resident memory so far


def _in_own_process(arguments: list[str]) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.explorer", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), time.perf_counter() - started


def compared(name: str, engines: list[str], runs: int, symmetry: bool, parallel: int) -> list[dict[str, Any]]:
    """One row per engine for one model, and one for SPIN on `parallel` cores, with SPIN's numbers from the same run."""
    result, text = explore_and_export(model_called(name))
    everything = [prop.code for prop in model_called(name).properties].index("ANY") + 1
    spins: list[SpinRun] = []
    parallels: list[tuple[int, int, float]] = []
    own: dict[str, list[tuple[dict[str, Any], float]]] = {engine: [] for engine in engines}
    with parallel_spin(text, everything, parallel) as search:
        for _ in range(runs):
            spins.append(run_spin(text, prop=everything, expected_states=result.states))
            if search is not None:
                parallels.append(search(result.states))
            for engine in engines:
                one = ["--one", name, engine, *(["--symmetry"] if symmetry else [])]
                warm, _ = _in_own_process(one)
                _, wall = _in_own_process([*one, "--cold"])
                own[engine].append((warm, wall))
    smallest = run_spin("bit x; active proctype p() { do :: x = 1 - x od }", expected_states=4)
    rows = [_row(name, engine, symmetry, spins, smallest, own[engine]) for engine in engines]
    return rows + ([_parallel_row(name, parallel, spins, parallels)] if parallels else [])


def _row(
    name: str,
    engine: str,
    symmetry: bool,
    spins: list[SpinRun],
    smallest: SpinRun,
    own: list[tuple[dict[str, Any], float]],
) -> dict[str, Any]:
    found = own[0][0]
    states = found["states"]
    seconds = statistics.median(run["seconds"] for run, _ in own)
    again = _ratios([spin.seconds / run["seconds"] for spin, (run, _) in zip(spins, own, strict=True)])
    first = statistics.median(spin.seconds / run["first_seconds"] for spin, (run, _) in zip(spins, own, strict=True))
    spin_seconds = statistics.median(run.seconds for run in spins)
    return {
        "model": name,
        "engine": f"{engine} symmetry" if symmetry else engine,
        "states": states,
        "transitions": found["transitions"],
        "agrees": (states, found["hits"]["ANY"]) == (spins[0].states, spins[0].errors),
        "ours_states_per_s": round(states / seconds),
        "spin_states_per_s": round(spins[0].states / spin_seconds) if spin_seconds else None,
        **again,
        "ratio_first": round(first, 2),
        "ours_bytes_per_state": round(statistics.median(run["bytes"] for run, _ in own) / states, 1),
        "spin_bytes_per_state": round((spins[0].bytes - smallest.bytes) / spins[0].states, 1),
        "ours_wall_s": round(statistics.median(wall for _, wall in own), 3),
        "spin_wall_s": round(statistics.median(run.build_seconds + run.seconds for run in spins), 3),
        "ours_search_s": round(seconds, 3),
        "main_s": round(statistics.median(run["main_seconds"] for run, _ in own), 3),
        "spin_search_s": spin_seconds,
        "machine": machine(),
    }


def _ratios(found: list[float]) -> dict[str, float]:
    return {
        "ratio": round(statistics.median(found), 2),
        "ratio_lowest": round(min(found), 2),
        "ratio_highest": round(max(found), 2),
    }


def _parallel_row(name: str, cores: int, spins: list[SpinRun], found: list[tuple[int, int, float]]) -> dict[str, Any]:
    """The row of SPIN's parallel search; what is not measured of it is empty."""
    seconds = statistics.median(one[2] for one in found)
    return {
        "model": name,
        "engine": f"spin -DBFS_PAR {cores}",
        "states": found[0][0],
        "agrees": {(states, errors) for states, errors, _ in found} == {(spins[0].states, spins[0].errors)},
        "ours_states_per_s": round(found[0][0] / seconds),
        **_ratios([spin.seconds / one[2] for spin, one in zip(spins, found, strict=True)]),
        "ours_search_s": round(seconds, 3),
        "machine": machine(),
    }


def machine() -> str:
    """The machine and the versions that were measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba") if find_spec(name))
    load = os.getloadavg()[0]
    return (
        f"{platform.system()} {platform.release()}, {_cpu()}, {os.cpu_count()} CPUs, load {load:.1f}; "
        f"Python {platform.python_version()}, {versions}, {_spin()}"
    )


def _spin() -> str:
    """`Spin Version 6.5.2 -- 6 December 2019`, as SPIN prints it."""
    return subprocess.run(["spin", "-V"], capture_output=True, text=True, check=False).stdout.strip()


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def as_text(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    names = [name for name in rows[0] if name != "machine"]
    cells = [names] + [[str(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join([*table, "", *dict.fromkeys(row["machine"] for row in rows)])


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="benchmarks.explorer", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    parser.add_argument(
        "--models",
        nargs="+",
        default=DEFAULT,
        metavar="NAME",
        help=f"protocol-vcpus-features, G or P; default {' '.join(DEFAULT)}; {HUGE} has 8e7 states",
    )
    parser.add_argument("--engines", nargs="+", default=["numpy", "numba"], choices=["python", "numpy", "numba"])
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 2], help="threads of numba, and SPIN's cores (1 2)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, interleaved; the median counts")
    parser.add_argument(
        "--symmetry",
        action="store_true",
        help="merge states that differ by exchanging vCPUs; "
        "SPIN still searches all of them, so these rows are no comparison of speed",
    )
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, metavar=("NAME", "ENGINE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        name, engine = chosen.one
        print(json.dumps(ours(name, engine, chosen.symmetry, chosen.cold)))
        return
    engines = [engine for engine in chosen.engines if engine != "numba"]
    if "numba" in chosen.engines:
        engines += [f"numba {threads}" for threads in chosen.jobs]
    most = max(chosen.jobs)
    rows = [row for name in chosen.models for row in compared(name, engines, chosen.runs, chosen.symmetry, most)]
    print(json.dumps(rows, indent=1) if chosen.json else as_text(rows))


if __name__ == "__main__":
    main()
