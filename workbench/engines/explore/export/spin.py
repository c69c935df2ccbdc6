"""Checks the exported model with SPIN, and compares SPIN's answers with the explorer's.

Rule kept here: SPIN is run so that it counts what the explorer counts: `-o2` (no hidden variables), no
partial-order reduction, no lossy compression, all errors counted. Needs the commands `spin` and `gcc`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.durable.guard import environment, guarded_folder
from workbench.engines.explore.export.promela import COUNTED
from workbench.engines.explore.model import Model
from workbench.engines.explore.result import Result, verdict_of
from workbench.errors import EngineError

DEPTH = 100_000
VECTOR = 8192  # the largest state that SPIN accepts, in bytes
WORTH_OPTIMISING = 1_000_000  # states
#: Safety only, no partial-order reduction: all states. The other options of pan are set in `run_spin`.
PAN_OPTIONS = ("-DSAFETY", "-DNOREDUCE", f"-DVECTORSZ={VECTOR}")


@dataclass(frozen=True)
class SpinRun:
    """What one run of SPIN's verifier reported.

    `seconds` is the time of the search, `build_seconds` that of generating and compiling the verifier, `bytes` all
    memory used. `met`, if requested: how many states violate (always) or reach (sometimes) each property.
    """

    states: int
    transitions: int
    errors: int
    seconds: float
    build_seconds: float
    bytes: float
    met: tuple[int, ...] = ()


def run_spin(text: str, *, prop: int = 0, count: bool = False, expected_states: int = 1 << 20) -> SpinRun:
    """Verify a Promela text; `prop` switches on one property, `count` counts the states that meet each of them.

    `expected_states` sizes the hash table. Raises EngineError if spin or gcc is absent or fails, or if the search
    was not complete.
    """
    _require_tools()
    with guarded_folder() as folder:
        (folder / "model.pml").write_text(text, encoding="utf-8")
        started = time.perf_counter()
        _run(["spin", "-a", "-o2", "-DCOUNT" if count else f"-DPROP={prop}", "model.pml"], folder)
        # For a run that only counts, compiling takes longer than searching, unless the model is large.
        level = "-O0" if count and expected_states < WORTH_OPTIMISING else "-O2"
        _run(["gcc", level, "-w", *PAN_OPTIONS, "pan.c", "-o", "pan"], folder)
        build = time.perf_counter() - started
        bits = max(10, (expected_states - 1).bit_length())
        depth = DEPTH
        while True:
            said = _run(["./pan", "-E", "-c0", "-n", f"-m{depth}", f"-w{bits}"], folder)
            if "max search depth too small" not in said:
                return _parsed(said, build)
            depth *= 10


def spin_version() -> str:
    """Return the line with which SPIN says what it is; raise EngineError if spin or gcc is absent."""
    _require_tools()
    return subprocess.run(["spin", "-V"], capture_output=True, text=True, check=False).stdout.strip()


def _require_tools() -> None:
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            raise EngineError(f"{tool} is not installed; the Debian package is {tool}")


def _run(command: list[str], folder: Path) -> str:
    given = environment(folder)  # so that gcc's own files and processes go with the folder
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0 and command[0] != "./pan":
        lines = said.splitlines() or [f"status {done.returncode}"]
        telling = next((line for line in lines if "rror" in line), lines[-1])
        raise EngineError(f"{command[0]} failed: {' '.join(telling.split())}")
    return said


def _parsed(said: str, build: float) -> SpinRun:
    def number(pattern: str) -> float:
        found = re.search(pattern, said)
        if found is None:
            raise EngineError(f"SPIN did not finish: {' '.join(said.split())[:200]}")
        return float(found.group(1))

    elapsed = re.search(r"elapsed time ([\d.e+-]+) seconds", said)
    if "Search not completed" in said:
        raise EngineError(f"SPIN did not complete its search: {_reason(said)}")
    met = tuple(int(states) for states in re.findall(rf"^{COUNTED} \d+: (\d+) states$", said, re.MULTILINE))
    return SpinRun(
        states=int(number(r"(\d+) states, stored")),
        # SPIN counts the initial state as one more; a counting option is a transition, too.
        transitions=int(number(r"(\d+) transitions")) - 1 - sum(met),
        errors=int(number(r"errors: (\d+)")),
        seconds=float(elapsed.group(1)) if elapsed else 0.0,
        build_seconds=build,
        bytes=number(r"([\d.]+)\s+total actual memory usage") * (1 << 20),
        met=met,
    )


def _reason(said: str) -> str:
    return next((line.strip() for line in said.splitlines() if line.startswith("pan: ")), "no reason given")


@dataclass(frozen=True)
class SecondOpinion:
    """The explorer's answer and SPIN's, for the same model. All have (ours, SPIN's) by code.

    `premises` has the numbers of states in which the premises hold, of the properties that have one.
    """

    states: int
    spin_states: int
    transitions: int
    spin_transitions: int
    verdicts: dict[str, tuple[str, str]]
    hits: dict[str, tuple[int, int]]
    premises: dict[str, tuple[int, int]]

    @property
    def agrees(self) -> bool:
        """Equal numbers of states and transitions, equal verdicts and equal numbers of violating states."""
        pairs = [*self.verdicts.values(), *self.hits.values(), *self.premises.values()]
        return (self.states, self.transitions) == (self.spin_states, self.spin_transitions) and all(
            ours == spins for ours, spins in pairs
        )


def crosscheck(model: Model) -> SecondOpinion:
    """Explore a model, export it, and check the same properties with SPIN."""
    from workbench.engines.explore.api import explore_and_export

    result, text = explore_and_export(model)
    return second_opinion({prop.code: prop.kind for prop in model.properties}, result, text)


def second_opinion(kinds: Mapping[str, str], result: Result, text: str) -> SecondOpinion:
    """Check the exported text with SPIN in one run, and compare with a complete exploration.

    `kinds` lists the properties of the model in order: code and kind. SPIN counts the states that meet each premise,
    too, and its verdicts are made of its own counts.
    """
    run = run_spin(text, count=True, expected_states=result.states)
    own = len(kinds)
    spins = dict(zip(result.premises, run.met[own:], strict=True))
    verdicts, hits = {}, {}
    for (code, kind), met in zip(kinds.items(), run.met[:own], strict=True):
        verdicts[code] = (result.verdicts[code], verdict_of(kind, met, spins.get(code), None))
        hits[code] = (result.hits[code], met)
    premises = {code: (count, spins[code]) for code, count in result.premises.items()}
    return SecondOpinion(result.states, run.states, result.transitions, run.transitions, verdicts, hits, premises)
