"""A worker process of a campaign: runs the sequences it is given on both sides, until it is told to stop.

The rules kept here: a worker ends, with its VMs and threads, when its campaign is gone, whatever it does then;
workers do not notice Ctrl-C, because the campaign handles it and then ends them.
"""

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

from workbench.core import contracts
from workbench.durable.workers import end_with_parent
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


class Ready(NamedTuple):
    """A worker's first message: the known divergences that this KVM shows."""

    known: tuple[str, ...]


class Done(NamedTuple):
    """A finished sequence, and its unexplained divergence made small, if there is one."""

    entry: Entry
    small: Small | None


class Failed(NamedTuple):
    """A worker's last message: why it cannot continue."""

    reason: str


def work(connection: Connection, task: Task) -> None:
    """Answer each sequence number received with a Done; end at None, or when the other end is closed."""
    end_with_parent()
    try:
        with open_bench(task) as bench:
            connection.send(Ready(tuple(entry.name for entry in bench.known.entries)))
            while (number := connection.recv()) is not None:
                connection.send(carry_out(bench, task, number))
    except WorkbenchError as error:
        connection.send(Failed(str(error)))
    except (EOFError, BrokenPipeError):
        return  # the campaign is gone: nothing to report to


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
