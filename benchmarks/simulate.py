"""Measures the simulator's speed as ratios taken in one run: `python -m benchmarks.simulate [--json]`.

Three questions. How long does a boot of 4096 vCPUs with all features take, with lanes and without? How many steps a
second is that, next to the events a second of a SimPy model of the same registrations? How long do `import workbench`
and the simulator with all its protocols take to import, next to `import pandas`?

Rules kept here: the programs compared alternate, repeat by repeat, on one processor, and a ratio is that of one
repeat; the median over the repeats is shown, with the lowest and the highest. The SimPy model has one process for
each vCPU and one timeout for each step that guest and host take here; it computes nothing, and the start and the end
of each process count as events too. It runs in two ways: all vCPUs at once, as a SimPy model is usually written, and
each vCPU waiting for the one before, which is the simulator's schedule and SimPy's best case (its queue is then almost
empty). The simulator does all the work of a step: memory, host entries, counts. The fate of each area (`fates`) is
computed by the simulator only, and timed separately. Times are this process's processor time, because others share the
machine; imports are wall time, each in a fresh interpreter with the bytecode already compiled, less the time of an
interpreter that imports nothing.

With `--events` it measures whole events instead, from a new machine to the fates, with lanes and without.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import simpy

from benchmarks._machine import where
from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.engines.simulate.engine import Simulation
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle.boot import Boot
from workbench.protocols import PROTOCOLS

IMPORTS = {
    "nothing": "pass",
    "workbench": "import workbench",
    "simulator and all protocols": "import workbench.engines.simulate, workbench.protocols, workbench.lifecycle",
    "pandas": "import pandas",
}


class Row(NamedTuple):
    """One measured number: the median over the repeats, and the lowest and the highest."""

    variant: str
    metric: str
    value: float
    low: float
    high: float
    unit: str
    vcpus: int | None


# -- what is measured ------------------------------------------------------------------------------------


class Booted(NamedTuple):
    """One boot in the simulator: processor seconds until all vCPUs run, seconds for the fates, steps taken."""

    seconds: float
    fates_seconds: float
    steps: int


def boot(protocol: str, vcpus: int, lanes: bool) -> Booted:
    """Boot a guest with all features on a fresh machine."""
    features = choose()
    gc.collect()
    started = time.process_time()
    scenario = Scenario(PROTOCOLS[protocol](features), features, vcpus=vcpus)
    simulation = Simulation(scenario, lanes=lanes)
    simulation.play(Boot().happen(scenario))
    booted = time.process_time()
    simulation.fates()
    return Booted(booted - started, time.process_time() - booted, simulation.machine.counts["steps"])


def steps_by_vcpu(protocol: str, vcpus: int) -> list[int]:
    """How many steps each vCPU takes to boot and to enter the guest once: the boot CPU, then the others."""
    features = choose()
    one, two = (
        simulate(Scenario(PROTOCOLS[protocol](features), features, vcpus=number), Boot()).counts["steps"]  # type: ignore[arg-type]
        for number in (1, 2)
    )
    return [one, *[two - one] * (vcpus - 1)]


def vcpu_process(env: simpy.Environment, steps: int) -> Iterator[simpy.Event]:
    """One vCPU of the SimPy model."""
    for _ in range(steps):
        yield env.timeout(1)


def one_by_one(env: simpy.Environment, steps: list[int]) -> Iterator[simpy.Event]:
    """Start each vCPU when the one before has come up."""
    for number in steps:
        yield env.process(vcpu_process(env, number))


def simpy_events_per_second(steps: list[int], at_once: bool) -> float:
    """Run the SimPy model; a process's start and end are events, as each of its timeouts is."""
    gc.collect()
    started = time.process_time()
    env = simpy.Environment()
    if at_once:
        for number in steps:
            env.process(vcpu_process(env, number))
    else:
        env.process(one_by_one(env, steps))
    env.run()
    return (sum(steps) + 2 * len(steps)) / (time.process_time() - started)


def import_seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that executes one statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


# -- rows --------------------------------------------------------------------------------------------------


def row(variant: str, metric: str, values: Iterable[float], unit: str, vcpus: int | None = None) -> Row:
    """Summarize the repeats in one row."""
    found = sorted(values)
    return Row(variant, metric, statistics.median(found), found[0], found[-1], unit, vcpus)


def boot_rows(protocol: str, vcpus: int, repeats: int, progress: Callable[[str], None]) -> list[Row]:
    """Measure one protocol: lanes, one vCPU by one, and SimPy in both ways, in turn."""
    steps = steps_by_vcpu(protocol, vcpus)
    boot(protocol, 64, True)  # compiled regular expressions, cached layouts
    lanes, alone, at_once, in_turn = [], [], [], []
    for repeat in range(repeats):
        progress(f"{protocol}, {vcpus} vCPUs, repeat {repeat + 1} of {repeats}")
        lanes.append(boot(protocol, vcpus, True))
        at_once.append(simpy_events_per_second(steps, True))
        alone.append(boot(protocol, vcpus, False))
        in_turn.append(simpy_events_per_second(steps, False))
    if {run.steps for run in (*lanes, *alone)} != {sum(steps)}:
        raise SystemExit(f"{protocol}: the boots compared did not take the same {sum(steps)} steps")
    found = []
    for name, runs in (("lanes", lanes), ("one by one", alone)):
        rates = [run.steps / run.seconds for run in runs]
        variant = f"{protocol}, {name}"
        found += [
            row(variant, "boot", (run.seconds for run in runs), "s", vcpus),
            row(variant, "fates", (run.fates_seconds for run in runs), "s", vcpus),
            row(variant, "steps_per_s", rates, "steps/s", vcpus),
            row(variant, "ratio_to_simpy_at_once", map(_ratio, rates, at_once), "ratio", vcpus),
            row(variant, "ratio_to_simpy_in_turn", map(_ratio, rates, in_turn), "ratio", vcpus),
        ]
    found.append(row(protocol, "steps", [sum(steps)], "steps", vcpus))
    found.append(row("simpy, at once", f"events_per_s_{protocol}", at_once, "events/s", vcpus))
    found.append(row("simpy, in turn", f"events_per_s_{protocol}", in_turn, "events/s", vcpus))
    return found


def event_seconds(protocol: str, events: list[str], vcpus: int, lanes: bool) -> float:
    """Simulate events with all features, each on a fresh machine."""
    features = choose()
    gc.collect()
    started = time.process_time()
    for event in events:
        simulate(Scenario(PROTOCOLS[protocol](features), features, vcpus=vcpus), EVENTS[event], lanes=lanes)
    return time.process_time() - started


def event_rows(protocol: str, event: str, vcpus: int, repeats: int, progress: Callable[[str], None]) -> list[Row]:
    """Measure an event, or all, with lanes and one vCPU by one, in turn."""
    events = list(EVENTS) if event == "all" else [event]
    event_seconds(protocol, ["boot"], 64, True)
    lanes, alone = [], []
    for repeat in range(repeats):
        progress(f"{protocol}, {event}, {vcpus} vCPUs, repeat {repeat + 1} of {repeats}")
        lanes.append(event_seconds(protocol, events, vcpus, True))
        alone.append(event_seconds(protocol, events, vcpus, False))
    return [
        row(f"{protocol}, lanes", event, lanes, "s", vcpus),
        row(f"{protocol}, one by one", event, alone, "s", vcpus),
        row(f"{protocol}, one by one to lanes", event, map(_ratio, alone, lanes), "ratio", vcpus),
    ]


def import_rows(repeats: int, progress: Callable[[str], None]) -> list[Row]:
    """Measure imports in turn, less the time of an interpreter that imports nothing."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for statement in IMPORTS.values():
        import_seconds(statement)
    for repeat in range(repeats):
        progress(f"imports, repeat {repeat + 1} of {repeats}")
        for name, statement in IMPORTS.items():
            times[name].append(import_seconds(statement))
    bare = times["nothing"]
    net = {name: [max(one - none, 0.0) for one, none in zip(times[name], bare, strict=True)] for name in IMPORTS}
    found = [row("interpreter alone", "start", bare, "s")]
    for name in IMPORTS:
        if name != "nothing":
            found.append(row(name, "import", net[name], "s"))
            found.append(row(name, "ratio_to_pandas", map(_ratio, net[name], net["pandas"]), "ratio"))
    return found


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs


def as_text(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = [("subject", "metric", "vCPUs", "median", "lowest", "highest", "unit")]
    for found in rows:
        numbers = [f"{n:,.0f}" if n >= 1000 else f"{n:.3g}" for n in (found.value, found.low, found.high)]
        lines.append((found.variant, found.metric, str(found.vcpus or ""), *numbers, found.unit))  # type: ignore[arg-type]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.simulate", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--vcpus", type=int, nargs="+", default=[64, 4096])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--events", nargs="+", default=[], choices=["all", *EVENTS], metavar="EVENT", help="all: each of them, in turn"
    )
    chosen = parser.parse_args()
    if chosen.repeats < 1 or any(not 2 <= number <= 4096 for number in chosen.vcpus):
        parser.error("--repeats: 1 or more; --vcpus: 2 to 4096 each")

    def progress(text: str) -> None:
        print(text, file=sys.stderr)

    here = where("simpy", "pandas", "numpy")
    rows = [] if chosen.events else import_rows(chosen.repeats, progress)
    for protocol in PROTOCOLS:
        for vcpus in chosen.vcpus:
            for event in chosen.events:
                rows += event_rows(protocol, event, vcpus, chosen.repeats, progress)
            if not chosen.events:
                rows += boot_rows(protocol, vcpus, chosen.repeats, progress)
    if chosen.json:
        found = [one._asdict() for one in rows]
        print(json.dumps({"where": here, "repeats": chosen.repeats, "rows": found}, indent=1))
    else:
        print(", ".join(f"{name} {value}" for name, value in here.items()), f"repeats {chosen.repeats}", "", sep="\n")
        print(as_text(rows))


if __name__ == "__main__":
    main()
