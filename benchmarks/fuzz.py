"""Measures fuzzing against the limit that the kernel sets: `python -m benchmarks.fuzz [--against DIR] [--json]`.

How many operations a second does one process compare, and how many could it if nothing but the ioctls took time?

Rules kept here: the same sequences are run twice, block by block: once as a campaign runs them (generated, simulated,
run on KVM, compared), once on KVM alone with a clock around every ioctl. The limit of a block is its operations over
the seconds inside ioctls: KVM_RUN, those of the VMM's operations and of migrations, the dirty logs, and those that make
a used VM equal to a new one for the next sequence. The clock's own time is taken off. VMs are open before, because a
campaign reuses them. Times are processor time, because others share the machine: what an ioctl waits for (a change of
memslots waits for readers) is in neither. The ratio is that of one block; the median over the blocks is shown, with the
lowest and the highest.

A KVM_RUN leaves cold caches, which the Python after it pays for. How much that is, is measured apart: a simulated entry
after a KVM_RUN, and without.

With ``--against``, blocks alternate with those of another checkout of this project, in a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from workbench.core.replay_target import MachineSpec
from workbench.engines.kvm.api import ioctl
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.probe import probe
from workbench.fuzz.compare import compare
from workbench.fuzz.generate import sequence
from workbench.fuzz.runners import simulate
from workbench.fuzz.trial import Bench
from workbench.fuzz.worker import Task, open_bench

try:
    from workbench.fuzz.worker import collecting_rarely
except ImportError:  # another checkout, from before
    from contextlib import nullcontext as collecting_rarely

#: The processor time of all threads of this process.
CLOCK = time.process_time
LENGTH, SEQUENCES, BLOCKS, SEED = 200, 50, 12, 2011
STEAL_TIME = 0x4B564D03


class Block(NamedTuple):
    """What one block of sequences came to; times are seconds."""

    operations: int
    generated_in: float
    simulated_in: float
    run_in: float  #: on KVM, Python and ioctls
    compared_in: float
    inside_ioctls: float

    @property
    def seconds(self) -> float:
        """Everything."""
        return self.generated_in + self.simulated_in + self.run_in + self.compared_in


class _Clock:
    """Counts the seconds inside ioctls; stands in place of libc's function."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ioctl = ioctl._ioctl
        pairs = [time.thread_time() - time.thread_time() for _ in range(1000)]
        self._own = -statistics.median(pairs)

    def __call__(self, *arguments: int) -> int:
        began = time.thread_time()
        result: int = self._ioctl(*arguments)
        self.seconds += time.thread_time() - began - self._own
        return result


@contextmanager
def timed_ioctls() -> Iterator[_Clock]:
    """Time every ioctl of this process."""
    clock = _Clock()
    kept, ioctl._ioctl = ioctl._ioctl, clock  # type: ignore[assignment]
    try:
        yield clock
    finally:
        ioctl._ioctl = kept


def block(bench: Bench, number: int, task: Task) -> Block:
    """Run block ``number`` of SEQUENCES sequences."""
    parts = [0.0] * 4
    operations = 0
    numbers = range(SEQUENCES * number, SEQUENCES * (number + 1))
    for each in numbers:
        times = [CLOCK()]
        steps = sequence(task.seed, each, task.length).operations
        times.append(CLOCK())
        simulated = simulate(bench._open_simulated, steps)
        times.append(CLOCK())
        real = bench.on_kvm(steps)
        times.append(CLOCK())
        operations += compare(steps, simulated, real, bench.known).compared
        times.append(CLOCK())
        parts = [part + end - start for part, start, end in zip(parts, times, times[1:], strict=False)]
    with timed_ioctls() as clock:
        for each in numbers:
            bench.on_kvm(sequence(task.seed, each, task.length).operations)
    return Block(operations, *parts, clock.seconds)


def blocks() -> Iterator[Block]:
    """Yield blocks without end; the sequences before the first open the VMs that the others reuse."""
    task = Task(SEED, LENGTH)
    with open_bench(task) as bench, collecting_rarely():
        number = 0
        block(bench, number, task)
        while True:
            number += 1
            yield block(bench, number, task)


@contextmanager
def blocks_of(checkout: str) -> Iterator[Callable[[], Block]]:
    """Run blocks of another checkout in a process of its own, one for each call."""
    command = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    environment = {**os.environ, "PYTHONPATH": checkout}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=checkout, env=environment) as other:
        assert other.stdin
        assert other.stdout

        def one() -> Block:
            print(file=other.stdin, flush=True)
            return Block(*json.loads(other.stdout.readline()))

        try:
            yield one
        finally:
            other.stdin.close()


def serve() -> None:
    """Print a block for each line of the standard input."""
    for _, one in zip(sys.stdin, blocks(), strict=False):
        print(json.dumps(one), flush=True)


def cold(times: int = 2000, repeats: int = 9) -> dict[str, float]:
    """Return the seconds by which a simulated operation takes longer after a KVM_RUN, and of one without."""
    with open_bench(Task(SEED, LENGTH)) as bench, Guest() as guest:
        machine = bench._open_simulated(MachineSpec())
        machine.add_ram(0, 0x4000)
        machine.wrmsr(0, STEAL_TIME, 0x1001)
        executor = guest.executor(0)

        def took(*works: Callable[[], Any]) -> float:
            began = CLOCK()
            for _ in range(times):
                for work in works:
                    work()
            return (CLOCK() - began) / times

        def one() -> tuple[float, float]:
            def simulated() -> None:
                machine.run(0)

            alone = took(simulated)
            return alone, took(executor.nop, simulated) - took(executor.nop) - alone

        found = [guest.call(0, one) for _ in range(repeats)]
    return {"alone": statistics.median(a for a, _ in found), "more": statistics.median(b for _, b in found)}


def spread(values: list[float]) -> dict[str, float]:
    """Return median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def summary(found: list[Block]) -> dict[str, dict[str, float]]:
    """Return the rates, the ratio, and microseconds of an operation by where they go."""
    microseconds = {
        "generated": [one.generated_in for one in found],
        "simulated": [one.simulated_in for one in found],
        "python on kvm": [one.run_in - one.inside_ioctls for one in found],
        "ioctls": [one.inside_ioctls for one in found],
        "compared": [one.compared_in for one in found],
    }
    return {
        "compared per second": spread([one.operations / one.seconds for one in found]),
        "limit per second": spread([one.operations / one.inside_ioctls for one in found]),
        "share of the limit": spread([one.inside_ioctls / one.seconds for one in found]),
        **{
            f"us {name}": spread([1e6 * part / one.operations for part, one in zip(parts, found, strict=True)])
            for name, parts in microseconds.items()
        },
    }


def measure(against: str | None) -> dict[str, list[Block]]:
    """Return BLOCKS blocks of this checkout, and of the other one if there is one, in turn."""
    mine, found = blocks(), {"here": list[Block]()}
    if against is None:
        found["here"] = [next(mine) for _ in range(BLOCKS)]
        return found
    found[against] = []
    with blocks_of(against) as other:
        for _ in range(BLOCKS):
            found["here"].append(next(mine))
            found[against].append(other())
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--against", metavar="DIR", help="another checkout, measured in turn with this one")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve()
        return
    found = measure(args.against)
    result = {
        "machine": probe().line,
        "seconds of a simulated entry": cold(),
        **{name: {"operations": sum(one.operations for one in of), **summary(of)} for name, of in found.items()},
    }
    if len(found) > 1:
        here, there = found.values()
        ratios = [a.operations / a.seconds / (b.operations / b.seconds) for a, b in zip(here, there, strict=True)]
        result["times as fast"] = spread(ratios)
    if args.json:
        json.dump(result, sys.stdout, indent=1)
        print()
        return
    for name, value in result.items():
        print_lines(name, value)


def print_lines(name: str, value: Any) -> None:
    """Print one part of the result."""
    if not isinstance(value, dict):
        print(f"{name}: {value}")
    elif "lowest" in value:
        digits = 0 if "per second" in name else 2
        print(f"{name:>22}: " + "{median:,.{d}f} ({lowest:,.{d}f} to {highest:,.{d}f})".format(**value, d=digits))
    else:
        print(f"{name}:")
        for inner, one in value.items():
            print_lines(inner, one)


if __name__ == "__main__":
    main()
