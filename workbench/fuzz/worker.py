"""What a worker process of a campaign does: runs the sequences it is given on both sides."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from workbench.core import contracts
from workbench.engines.kvm.probe import probe
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.fuzz.generate import Options, sequence
from workbench.fuzz.journal import Entry
from workbench.fuzz.trial import Bench, Small
from workbench.protocols import find
from workbench.replay.engines import find_engine


class Task(NamedTuple):
    """The parameters of a campaign's sequences, and the protocol that the simulator runs."""

    seed: int
    length: int
    protocol: str = "per_feature"


class Done(NamedTuple):
    """A finished sequence, and its unexplained divergence made small, if there is one."""

    entry: Entry
    small: Small | None


class Shown(NamedTuple):
    """What this KVM has shown when the campaign started, by name."""

    known: tuple[str, ...]  #: known divergences
    left_out: tuple[str, ...]  #: exclusions that apply


@contextmanager
def working(task: Task, host: str | None = None) -> Iterator[tuple[Shown, Callable[[int], Done]]]:
    """Begin in a worker (``durable.pool``); yield what this KVM has shown, and what runs a sequence.

    Raises WorkbenchError if that is not possible here, or if this KVM is not the one that ``host`` describes.
    """
    if host is not None and (here := probe().line) != host:
        raise WorkbenchError(f"a worker has another KVM ({here}) than this campaign ({host})")
    with open_bench(task) as bench, collecting_rarely():
        known, left_out = (tuple(one.name for one in each) for each in (bench.known.entries, bench.excluded))
        yield Shown(known, left_out), partial(carry_out, bench, task)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Let Python look for unreachable cycles rarely: sequences make many objects, and few of these."""
    before = gc.get_threshold()
    gc.freeze()  # what is there now stays
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def open_bench(task: Task) -> Bench:
    """Open both sides for a campaign."""
    protocol = find(task.protocol)
    # Both hosts must report that a register which KVM does not have is unknown.
    features = tuple(feature for feature in choose() if not feature.brings_register)

    def protocol_of(mitigations: Sequence[str]) -> contracts.Protocol:
        return protocol(features, mitigations)

    # On KVM the host side is always KVM's own code, whichever protocol the simulator runs.
    return Bench(find_engine("sim"), find_engine("kvm"), protocol_of, lambda: find("per_feature")(features))


def carry_out(bench: Bench, task: Task, number: int) -> Done:
    """Run one sequence; shrink its divergence if there is one."""
    options = Options(enforcement="enforcement" not in bench.known.avoided)
    operations = sequence(task.seed, number, task.length, options).operations
    verdict = bench.judge(operations)
    found = verdict.divergence
    small = bench.make_small(operations, found) if found is not None else None
    return Done(Entry(number, verdict.compared, dict(verdict.known)), small)
