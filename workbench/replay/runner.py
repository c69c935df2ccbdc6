"""Carries out replay operations on an engine and compares the answers with the expectations.

The rules kept here: every file begins with a machine of its own (one vCPU, LAPIC in the kernel, no RAM). A machine that
a migration has ended, and that has no source to go on, takes no further operation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from workbench.core import contracts
from workbench.core.replay_target import Engine, MachineSpec, Target
from workbench.errors import WorkbenchError
from workbench.replay.expectations import is_met, key_of
from workbench.replay.grammar import Operation
from workbench.replay.operations import OPERATIONS
from workbench.replay.reading import ReplayFile
from workbench.replay.values import NOWHERE

#: Makes the protocol that a ``machine`` operation names; None means the one chosen by the user.
ProtocolOf = Callable[[str | None], contracts.Protocol]


class Result(NamedTuple):
    """The result of one operation; ``failed`` holds the keys of its expectations that were not met."""

    file: str
    operation: Operation
    observed: Mapping[str, Any]
    failed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True if every expectation was met."""
        return not self.failed


class Totals(NamedTuple):
    """Expectations met and not met: one for each key of each ``expect``."""

    passed: int
    failed: int


def totals(results: Iterable[Result]) -> Totals:
    """Count the expectations of ``results``."""
    passed = failed = 0
    for result in results:
        failed += len(result.failed)
        passed += len(result.operation.expect) - len(result.failed)
    return Totals(passed, failed)


def play(
    files: Sequence[ReplayFile], engine: Engine, protocol_of: ProtocolOf, watch: Callable[[Target], None] | None = None
) -> Iterator[Result]:
    """Carry out all operations of all files; yield a Result for each. ``watch`` sees the machine after each.

    Raises WorkbenchError, with file and line, for an operation that the engine cannot carry out.
    """
    for file in files:
        with closing(_Player(engine, protocol_of)) as player:
            for step in file.operations:
                try:
                    observed = player.carry_out(step)
                    tells_unknown = player.target.tells_unknown
                except WorkbenchError as error:
                    raise type(error)(f"{file.name}:{step.line}: {step.op}: {error}") from error
                if watch is not None:
                    watch(player.target)
                yield Result(file.name, step, observed, tuple(_unmet(step, observed, tells_unknown)))


class _Player:
    """The machine of one file, created when first needed and replaced by each ``machine`` operation."""

    def __init__(self, engine: Engine, protocol_of: ProtocolOf) -> None:
        self._engine, self._protocol_of = engine, protocol_of
        self._target: Target | None = None
        self._ended: Operation | None = None  #: the operation after which the machine does not run any more

    @property
    def target(self) -> Target:
        if self._target is None:
            self._target = self._engine.open(MachineSpec(), self._protocol_of(None))
        return self._target

    def carry_out(self, step: Operation) -> Mapping[str, Any]:
        """Carry out one operation; return the answer, by the keys that an expectation may have."""
        if step.op != "machine":
            self._must_run()
            observed = perform(self.target, step)
            self._ended = step if observed.get("runs_on") == NOWHERE else None
            return observed
        self.close()
        arguments = step.arguments
        spec = MachineSpec(arguments["vcpus"], arguments["irqchip"])
        self._target = self._engine.open(spec, self._protocol_of(arguments["protocol"]))
        return {}

    def _must_run(self) -> None:
        if self._ended is not None:
            raise WorkbenchError(
                f"the machine does not run any more: its VMM gave it up in the {self._ended.op} of line "
                f'{self._ended.line}; allowed: machine, which begins another one, or "source": "resumes" in line '
                f"{self._ended.line}, if the machine goes on where it was"
            )

    def close(self) -> None:
        self._ended = None
        if self._target is not None:
            self._target.close()
            self._target = None


def perform(target: Target, step: Operation) -> Mapping[str, Any]:
    """Carry out one operation other than ``machine`` on ``target``; return the answer."""
    return OPERATIONS[step.op].perform(target, **step.arguments) or {}


def _unmet(step: Operation, observed: Mapping[str, Any], tells_unknown: bool) -> Iterator[str]:
    for key, words in step.expect.items():
        seen = observed.get(key_of(key))
        if seen is None or not is_met(key, seen, words, tells_unknown=tells_unknown):
            yield key
