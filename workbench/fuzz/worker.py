"""A process that carries out sequences on both sides, one number after the other, until it is told to stop.

The rules kept here: a worker whose campaign is gone ends by itself (its connection closes), VMs and threads with
it; Ctrl-C is for the campaign, which then ends its workers.
"""

import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

from workbench.core import contracts
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.fuzz.generate import Options, sequence
from workbench.fuzz.journal import Entry
from workbench.fuzz.trial import Bench, Small
from workbench.protocols import find
from workbench.replay.engines import find_engine


class Task(NamedTuple):
    """What a campaign's sequences are, and the protocol the simulator runs."""

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
    """A worker's last message: why it cannot go on."""

    reason: str


def work(connection: Connection, task: Task) -> None:
    """Answer each sequence number that comes by a Done; end at None, or when the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with open_bench(task) as bench:
            connection.send(Ready(tuple(entry.name for entry in bench.known.entries)))
            while (number := connection.recv()) is not None:
                connection.send(carry_out(bench, task, number))
    except WorkbenchError as error:
        connection.send(Failed(str(error)))
    except (EOFError, BrokenPipeError):
        return  # nobody is there to tell


def open_bench(task: Task) -> Bench:
    """Open both sides for a campaign."""
    protocol = find(task.protocol)
    # Of a register that KVM does not have, both hosts must say so.
    features = tuple(feature for feature in choose() if not feature.brings_register)

    def protocol_of(mitigations: Sequence[str]) -> contracts.Protocol:
        return protocol(features, mitigations)

    # On KVM the protocol is KVM's own code, whatever the simulator is told to run.
    return Bench(find_engine("sim"), find_engine("kvm"), protocol_of, lambda: find("per_feature")(features))


def carry_out(bench: Bench, task: Task, number: int) -> Done:
    """Carry out one sequence; make its divergence small if there is one."""
    options = Options(enforcement="enforcement" not in bench.known.avoided)
    operations = sequence(task.seed, number, task.length, options).operations
    verdict = bench.judge(operations)
    found = verdict.divergence
    small = bench.make_small(operations, found) if found is not None else None
    return Done(Entry(number, verdict.compared, dict(verdict.known)), small)
