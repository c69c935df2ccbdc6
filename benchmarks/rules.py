"""Measures what the checks of an author's programs cost: `python -m benchmarks.rules [--json]`.

The simulator runs the same design twice, repeat by repeat in turn on one processor: with the checks of
`workbench.core.rules` and with each of them taken out (methods unwrapped, values and namespaces not looked at). Which
side may yield a step is decided by a table that the simulator needs anyway. The ratio is that of one repeat; shown are
the median, the lowest and the highest. The aim is a ratio below 1.05. Checks of the text are made once for each class
and timed apart.
"""

from __future__ import annotations

import argparse
import inspect
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from workbench.core import transition
from workbench.core.rules import declared, source
from workbench.core.rules.returned import RETURNS
from workbench.core.scenario import Scenario
from workbench.core.steps import Note, Set
from workbench.engines.simulate import engine
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.protocols import PROTOCOLS

_PIECES = 40
#: Set and Note without a look at what they keep.
_UNCHECKED: dict[type, Any] = {
    Set: lambda world, cpu, side, step: world.set(step.key, step.value),
    Note: lambda world, cpu, side, step: world.note(step.key, step.value),
}


@contextmanager
def without_checks(kind: type) -> Iterator[None]:
    """Take the checks out of a class and of the simulator."""
    kept = {name: vars(kind)[name] for name in RETURNS if name in vars(kind)}
    actions, namespaces = [dict(own) for own in transition._PERFORM], engine.unchanged  # type: ignore[attr-defined]
    for own in transition._PERFORM:
        for step, action in _UNCHECKED.items():
            own[step] = action
    engine.unchanged = lambda protocol: nullcontext()  # type: ignore[assignment,attr-defined]
    for name, method in kept.items():
        setattr(kind, name, inspect.unwrap(method))
    try:
        yield
    finally:
        engine.unchanged = namespaces  # type: ignore[attr-defined]
        for own, checked in zip(transition._PERFORM, actions, strict=True):
            own.update(checked)
        for name, method in kept.items():
            setattr(kind, name, method)


def seconds(kind: Any, event: str, vcpus: int, lanes: bool, times: int) -> float:
    """Processor seconds of ``times`` runs of an event with all features, each on a fresh machine."""
    features = choose()
    started = time.process_time()
    for _ in range(times):
        engine.simulate(Scenario(kind(features), features, vcpus=vcpus), EVENTS[event], lanes=lanes)
    return time.process_time() - started


def ratios(kind: Any, event: str, vcpus: int, lanes: bool, repeats: int) -> list[float]:
    """The time with checks to that without, for each repeat: of the fastest of short pieces that take turns.

    Whatever else the machine does makes pieces slower, never faster.
    """
    times = max(1, 8 // vcpus)
    return sorted(one_ratio(kind, event, vcpus, lanes, times) for _ in range(repeats))


def one_ratio(kind: Any, event: str, vcpus: int, lanes: bool, times: int) -> float:
    """The fastest of ``_PIECES`` pieces with checks to the fastest without."""
    checked, bare = [], []
    for _ in range(_PIECES):
        checked.append(seconds(kind, event, vcpus, lanes, times))
        with without_checks(kind):
            bare.append(seconds(kind, event, vcpus, lanes, times))
    return min(checked) / min(bare)


def of_text(kind: type) -> float:
    """Seconds that the checks of a class's declarations and text take, once for each class."""
    started = time.process_time()
    list(declared.complaints(kind))
    list(source.complaints(kind, kind))
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.rules", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--event", choices=EVENTS, default="migrate")
    chosen = parser.parse_args()
    rows = []
    for name in ("generic", "per_feature"):
        for vcpus, lanes in ((4, False), (64, False), (64, True), (1024, True)):
            found = ratios(PROTOCOLS[name], chosen.event, vcpus, lanes, chosen.repeats)
            how = "lanes" if lanes else "one by one"
            rows.append((name, vcpus, how, statistics.median(found), found[0], found[-1]))
    texts = {name: of_text(PROTOCOLS[name]) for name in ("generic", "per_feature")}
    if chosen.json:
        print(json.dumps({"event": chosen.event, "ratios": rows, "text_seconds": texts}, indent=1))
        return
    print(f"{'design':<12} {'vCPUs':>5}  {'schedule':<10} {'median':>7} {'lowest':>7} {'highest':>7}  (with / without)")
    for name, vcpus, how, *numbers in rows:
        print(f"{name:<12} {vcpus:>5}  {how:<10}", *(f"{number:7.3f}" for number in numbers))
    for name, taken in texts.items():
        print(f"{name}: text checked once in {1000 * taken:.0f} ms")


if __name__ == "__main__":
    main()
