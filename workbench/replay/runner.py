"""Carries out replay operations on an engine and compares the answers with the expectations.

The rules kept here: every file begins with a machine of its own (one vCPU, LAPIC in the kernel, no RAM); an
expectation about a value that was not returned fails, ``not_hex`` included; UNKNOWN satisfies an expected
FAULT, because a guest cannot tell the two apart.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from workbench.core import contracts
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Outcome
from workbench.core.replay_target import Engine, MachineSpec, Target
from workbench.errors import WorkbenchError
from workbench.replay.grammar import Operation
from workbench.replay.reading import ReplayFile

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

    @property
    def target(self) -> Target:
        if self._target is None:
            self._target = self._engine.open(MachineSpec(), self._protocol_of(None))
        return self._target

    def carry_out(self, step: Operation) -> Mapping[str, Any]:
        """Carry out one operation; return the answer, by the keys that an expectation may have."""
        if step.op != "machine":
            return perform(self.target, step)
        self.close()
        arguments = step.arguments
        spec = MachineSpec(arguments["vcpus"], arguments["irqchip"])
        self._target = self._engine.open(spec, self._protocol_of(arguments["protocol"]))
        return {}

    def close(self) -> None:
        if self._target is not None:
            self._target.close()
            self._target = None


def perform(target: Target, step: Operation) -> Mapping[str, Any]:
    """Carry out one operation other than ``machine`` on ``target``; return the answer."""
    observed: Mapping[str, Any] = _PERFORM[step.op](target, **step.arguments) or {}
    return observed


def _load(target: Target, gpa: int, size: int) -> Mapping[str, Any]:
    data = target.load(gpa, size)
    return {"outcome": FAULT} if data is None else {"outcome": HANDLED, "hex": data.hex()}


def _rdmsr(target: Target, cpu: int, msr: int) -> Mapping[str, Any]:
    outcome, value = target.rdmsr(cpu, msr)
    return {"outcome": outcome} if value is None else {"outcome": outcome, "value": value}


def _host_get_msr(target: Target, cpu: int, msr: int) -> Mapping[str, Any]:
    value = target.host_get_msr(cpu, msr)
    return {"accepted": False} if value is None else {"accepted": True, "value": value}


_PERFORM: Mapping[str, Callable[..., Any]] = {
    "ram": lambda target, gpa, size: target.add_ram(gpa, size),
    "unplug": lambda target, gpa: target.delete_ram(gpa),
    "store": lambda target, gpa, hex: {"outcome": target.store(gpa, hex)},
    "load": _load,
    "wrmsr": lambda target, cpu, msr, value: {"outcome": target.wrmsr(cpu, msr, value)},
    "rdmsr": _rdmsr,
    "host_set_msr": lambda target, cpu, msr, value: {"accepted": target.host_set_msr(cpu, msr, value)},
    "host_get_msr": _host_get_msr,
    "cpuid": lambda target, cpu, enforce, features: target.set_cpuid(cpu, features, enforce),
    "run": lambda target, cpu: target.run(cpu),
    "init": lambda target, cpu: target.init(cpu),
    "kvmclock_ctrl": lambda target, cpu: {"accepted": target.kvmclock_ctrl(cpu)},
    "migrate": lambda target: target.migrate(),
}


# -- comparing ---------------------------------------------------------------------------------------------


def _unmet(step: Operation, observed: Mapping[str, Any], tells_unknown: bool) -> Iterator[str]:
    for key, words in step.expect.items():
        seen = observed.get(OBSERVED_AS.get(key, key))
        if seen is None or not _meets(key, seen, words, tells_unknown):
            yield key


#: The key of the answer with which an expectation is compared, if not its own.
OBSERVED_AS = {"not_hex": "hex"}


def _meets(key: str, seen: Any, words: tuple[Any, ...], tells_unknown: bool) -> bool:
    if key == "outcome":
        return any(_satisfies(seen, word, tells_unknown) for word in words)
    if key == "hex":
        return any(fits(seen, word) for word in words)
    if key == "not_hex":
        return not any(fits(seen, word) for word in words)
    return seen in words


def _satisfies(seen: Outcome, word: Outcome, tells_unknown: bool) -> bool:
    if seen is UNKNOWN:
        return word in (UNKNOWN, FAULT)
    return seen is word or (seen is FAULT and word is UNKNOWN and not tells_unknown)


def fits(digits: str, pattern: str) -> bool:
    """Tell whether hex ``digits`` fit ``pattern``, in which ``?`` stands for any digit."""
    if "?" not in pattern:
        return digits == pattern
    pairs = zip(digits, pattern, strict=True)
    return all(wanted in ("?", digit) for digit, wanted in pairs)
