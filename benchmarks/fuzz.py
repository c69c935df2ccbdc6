"""Measures fuzzing against the limit that the kernel sets: `python -m benchmarks.fuzz [--json]`.

How many operations a second does one process compare, and how many could it if nothing but the ioctls took time?

Rules kept here: the same sequences are run twice, block by block: once as a campaign runs them (generated, simulated,
run on KVM, compared), once on KVM alone with a clock around every ioctl. The limit of a block is its operations over
the seconds inside ioctls, KVM_RUN included; VMs are open before, because a campaign reuses them. Times are processor
time, because others share the machine: what an ioctl waits for (a change of memslots waits for readers) is in neither.
The ratio is that of one block; the median over the blocks is shown, with the lowest and the highest.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from workbench.engines.kvm.api import ioctl
from workbench.engines.kvm.probe import probe
from workbench.fuzz.generate import sequence
from workbench.fuzz.trial import Bench
from workbench.fuzz.worker import Task, open_bench

#: The processor time of all threads of this process.
CLOCK = time.process_time
LENGTH, SEQUENCES, BLOCKS, SEED = 200, 50, 12, 2011


class Block(NamedTuple):
    """What one block of sequences came to."""

    operations: int
    compared_in: float  #: seconds, everything included
    on_kvm_in: float  #: seconds on KVM alone, with the clock around ioctls
    inside_ioctls: float  #: seconds

    @property
    def share(self) -> float:
        """The speed of fuzzing as a share of the limit."""
        return self.inside_ioctls / self.compared_in


class _Clock:
    """Counts the seconds inside ioctls; stands in place of libc's function."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ioctl = ioctl._ioctl

    def __call__(self, *arguments: int) -> int:
        began = time.thread_time()
        result: int = self._ioctl(*arguments)
        self.seconds += time.thread_time() - began
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


def block(bench: Bench, first: int, task: Task) -> Block:
    """Run SEQUENCES sequences from number ``first``."""
    began = CLOCK()
    operations = 0
    for number in range(first, first + SEQUENCES):
        verdict = bench.judge(sequence(task.seed, number, task.length).operations)
        operations += verdict.compared
    compared_in = CLOCK() - began
    with timed_ioctls() as clock:
        began = CLOCK()
        for number in range(first, first + SEQUENCES):
            bench.on_kvm(sequence(task.seed, number, task.length).operations)
        return Block(operations, compared_in, CLOCK() - began, clock.seconds)


def measure() -> list[Block]:
    """Return BLOCKS blocks; the sequences before them open the VMs that the others reuse."""
    task = Task(SEED, LENGTH)
    with open_bench(task) as bench:
        block(bench, 0, task)
        return [block(bench, SEQUENCES * number, task) for number in range(1, BLOCKS + 1)]


def spread(values: list[float]) -> dict[str, float]:
    """Return median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    blocks = measure()
    result = {
        "machine": probe().line,
        "operations": sum(one.operations for one in blocks),
        "compared_per_second": spread([one.operations / one.compared_in for one in blocks]),
        "on_kvm_per_second": spread([one.operations / one.on_kvm_in for one in blocks]),
        "limit_per_second": spread([one.operations / one.inside_ioctls for one in blocks]),
        "share_of_the_limit": spread([one.share for one in blocks]),
    }
    if args.json:
        json.dump(result, sys.stdout, indent=1)
        print()
        return
    for key, value in result.items():
        if isinstance(value, dict):
            digits = 2 if key.startswith("share") else 0
            value = "{median:,.{d}f} ({lowest:,.{d}f} to {highest:,.{d}f})".format(**value, d=digits)
        print(f"{key.replace('_', ' '):>22}: {value}")


if __name__ == "__main__":
    main()
