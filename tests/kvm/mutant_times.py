"""How soon the fuzzer finds each planted mistake: ``python -m tests.kvm.mutant_times`` prints the table of the manual.

One process, sequences of 200 operations of a seed that the name gives, until the first divergence, which is not made
small.
"""

import sys
import time
import zlib
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))  # as pytest does for the tests beside it
from fuzz_mutants import MISTAKES, simulator

from workbench.features import choose
from workbench.fuzz.generate import sequence
from workbench.fuzz.trial import Bench
from workbench.protocols import PerFeature
from workbench.replay import find_engine

LENGTH, LIMIT = 200, 60.0


class Found(NamedTuple):
    """When a mistake was found, after how many compared operations, and by what; ``key`` is None if it was not."""

    operations: int
    seconds: float
    key: str | None


def find(name: str) -> Found:
    """Run sequences until the mutant ``name`` is noticed, for at most LIMIT seconds."""
    engine, protocol_of = simulator(name)
    seed = zlib.crc32(name.encode())
    with Bench(engine, find_engine("kvm"), protocol_of, lambda: PerFeature(choose())) as both:
        began, operations, number = time.monotonic(), 0, 0
        while time.monotonic() - began < LIMIT:
            verdict = both.judge(sequence(seed, number, LENGTH).operations)
            operations, number = operations + verdict.compared, number + 1
            if verdict.divergence is not None:
                return Found(operations, time.monotonic() - began, verdict.divergence.kind)
    return Found(operations, LIMIT, None)


def main() -> None:
    """Print the table."""
    print("| mistake | operations | seconds | seen by |\n| --- | ---: | ---: | --- |")
    for name, said in MISTAKES.items():
        found = find(name)
        seen = found.key.split(":")[0] if found.key else "not found"
        print(f"| {said} | {found.operations:,} | {found.seconds:.1f} | {seen} |", flush=True)


if __name__ == "__main__":
    main()
