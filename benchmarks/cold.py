"""Measures what a command takes from nothing: `python -m benchmarks.cold [--against COMMIT] [--json] [--repeats N]`.

Processor seconds, which other work on the machine changes little, of a new process for each command line. In each
repeat all of them take turns, and each ratio is taken within one repeat: to `python -c pass`, and with `--against` to
the same line in that commit. *Compiled* is how users start it, with bytecode that an earlier start has kept; *from
source* is without bytecode of the package, as in its first start. Tests hold which modules a command
may load (tests/cli/test_cold.py); this shows what it comes to.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks._machine import where

ROOT = Path(__file__).resolve().parents[1]
PASS = "python -c pass"
LINES = (
    "--help", "list", "compare --events kexec", "compare --vcpus 4", "explore generic --events kexec",
    "explore generic",
)  # fmt: skip
COMPILED, SOURCE = "compiled", "from source"


class Start(NamedTuple):
    """One way to start: what is run, in which tree, and with which bytecode."""

    line: str
    tree: Path
    bytecode: str


def seconds(start: Start, kept: Path) -> float:
    """Return the processor seconds of one new process; raises CalledProcessError if it fails."""
    words = ["-c", "pass"] if start.line == PASS else ["-m", "workbench", *start.line.split()]
    environment = {**os.environ, "PYTHONPATH": str(start.tree)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.pop("PYTHONPYCACHEPREFIX", None)
    if start.bytecode == COMPILED:
        environment["PYTHONPYCACHEPREFIX"] = str(kept)
    else:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    began = _spent()
    subprocess.run([sys.executable, *words], cwd=start.tree, env=environment, capture_output=True, check=True)
    return _spent() - began


def _spent() -> float:
    """Return the processor seconds of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(trees: Sequence[Path], lines: Sequence[str], repeats: int, kept: Path) -> dict[Start, list[float]]:
    """Return the seconds of each start, one for each repeat; the starts of a repeat take turns."""
    starts = [Start(line, tree, how) for line in (PASS, *lines) for tree in trees for how in (COMPILED, SOURCE)]
    for start in starts:
        seconds(start, kept)  # writes the bytecode, and brings files into memory
    found: dict[Start, list[float]] = {start: [] for start in starts}
    for _ in range(repeats):
        for start in starts:
            found[start].append(seconds(start, kept))
    return found


def rows(found: Mapping[Start, list[float]], trees: Sequence[Path]) -> list[dict[str, object]]:
    """Return a row for each command line and bytecode: seconds, and the ratios as (median, lowest, highest)."""
    here = trees[0]
    told = []
    for start in (start for start in found if start.tree == here and start.line != PASS):
        row: dict[str, object] = {"command": start.line, "bytecode": start.bytecode}
        row["seconds"] = round(statistics.median(found[start]), 3)
        row["of python -c pass"] = _ratio(found[start], found[start._replace(line=PASS)])
        if len(trees) > 1:
            row["of that commit"] = _ratio(found[start], found[start._replace(tree=trees[1])])
        told.append(row)
    return told


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    return round(statistics.median(ratios), 2), round(ratios[0], 2), round(ratios[-1], 2)


def copied(folder: Path) -> Path:
    """Write the package as it is here below ``folder``, without bytecode, and return where."""
    for name in ("workbench", "data"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def unpacked(commit: str, folder: Path) -> Path:
    """Write the files of a commit below ``folder`` and return where."""
    text = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    folder.mkdir()
    subprocess.run(["tar", "-x"], cwd=folder, input=text, check=True)
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.cold", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--against", metavar="COMMIT", help="also measure this commit, and give ratios to it")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--lines", nargs="+", default=LINES, metavar="LINE", help="command lines, each one argument")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder)
        trees = [copied(kept / "here"), *([unpacked(chosen.against, kept / "commit")] if chosen.against else [])]
        table = rows(measured(trees, chosen.lines, chosen.repeats, kept / "bytecode"), trees)
    machine = where("numpy", "pandas")
    if chosen.json:
        print(json.dumps({"machine": machine, "against": chosen.against, "rows": table}, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    for row in table:
        print("  ".join(f"{name}: {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
