"""Runs a sequence on one side: the simulator, or real KVM, whose VMs are reused.

The rules kept here: the operations between two migrations are one job in the VM's thread; a used VM runs
only sequences with its CPUID bits, after a reset that is checked; an operation that a side cannot carry out ends
its answers with the reason, and the machine is not used again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from workbench.core import contracts
from workbench.core.host_state import Key
from workbench.core.replay_target import Engine, MachineSpec, Target
from workbench.errors import WorkbenchError
from workbench.replay.grammar import Operation
from workbench.replay.runner import perform

Observed = Mapping[str, Any]

#: Operations that read or overwrite payloads, or request some: the areas served at that time say which host may have
#: written before, and which must write next.
_LOOKS = frozenset({"load", "store", "ram", "set_clock", "kvmclock_ctrl"})


class Answers(NamedTuple):
    """The answers of one side: one mapping for each operation, as in ``workbench replay``."""

    observed: Sequence[Observed]
    dirty: frozenset[int]  #: page frames that the host wrote, according to its log at the end
    #: At each load, store and new memslot (by position): the (feature, gpa) that the simulator's host serves.
    served: Mapping[int, frozenset[tuple[str, int]]]
    error: str = ""  #: why there are fewer answers than operations


class ComparableTarget(Target, Protocol):
    """A Target that logs dirty pages."""

    def dirty_pages(self) -> frozenset[int]: ...


#: Opens a machine with a dirty log.
Open = Callable[[MachineSpec], ComparableTarget]


def opener(engine: Engine, protocol: Callable[[], contracts.Protocol], **how: bool) -> Open:
    """Return a function that opens machines of ``engine`` with dirty logs, and as ``how`` says."""

    def open_machine(spec: MachineSpec) -> ComparableTarget:
        opened: Any = engine.open
        machine: ComparableTarget = opened(spec, protocol(), log_dirty=True, **how)
        return machine

    return open_machine


def spec_of(operation: Operation) -> MachineSpec:
    """Return the specification in a ``machine`` operation."""
    return MachineSpec(operation.arguments["vcpus"], operation.arguments["irqchip"])


# -- the simulator -----------------------------------------------------------------------------------------


def simulate(open_machine: Open, operations: Sequence[Operation]) -> Answers:
    """Carry out a sequence on a new simulated machine."""
    machine: Any = open_machine(spec_of(operations[0]))
    observed: list[Observed] = [{}]
    served = {}
    entries = machine.machine.entries
    try:
        for position, step in enumerate(operations[1:], 1):
            observed.append(perform(machine, step))
            if step.op in _LOOKS:
                served[position] = frozenset(
                    [(str(key[2]), gpa) for key, gpa in entries.items() if type(key) is Key and key[0] == "area"]
                )
    except WorkbenchError as error:
        return Answers(observed, frozenset(), served, str(error))
    return Answers(observed, machine.dirty_pages(), served)


# -- real KVM ----------------------------------------------------------------------------------------------


class Pool:
    """Real machines, kept for the next sequence with the same CPUID bits. A context manager."""

    def __init__(self, open_machine: Open) -> None:
        self._open = open_machine
        self._idle: dict[Any, list[Any]] = {}

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all machines."""
        while self._idle:
            for machine in self._idle.popitem()[1]:
                machine.close()

    def carry_out(self, operations: Sequence[Operation], *, fresh: bool = False) -> Answers:
        """Run a sequence on a machine with its CPUID bits; with ``fresh``, on one that was never used."""
        spec = spec_of(operations[0])
        kind = (spec, _cpuid_of(operations))
        idle = self._idle.setdefault(kind, [])
        machine: Any = idle.pop() if idle and not fresh else self._open(spec)
        answers = _on(machine, operations)
        if answers.error or fresh:
            machine.close()
            return answers
        try:
            machine.reset()
        except WorkbenchError as error:
            machine.close()
            return answers._replace(error=str(error))
        idle.append(machine)
        return answers


def _cpuid_of(operations: Sequence[Operation]) -> frozenset[tuple[int, frozenset[int]]]:
    """Return the CPUID bits that the sequence gives to each vCPU; KVM fixes them for the life of a VM."""
    return frozenset((s.arguments["cpu"], s.arguments["features"]) for s in operations if s.op == "cpuid")


def _on(machine: Any, operations: Sequence[Operation]) -> Answers:
    observed: list[Observed] = [{}]
    try:
        for stretch in _stretches(operations[1:]):
            machine.within(partial(_perform_all, machine, stretch, observed))
        return Answers(observed, machine.dirty_pages(), {})
    except WorkbenchError as error:
        return Answers(observed, frozenset(), {}, str(error))


def _perform_all(machine: Any, operations: Sequence[Operation], observed: list[Observed]) -> None:
    for step in operations:
        observed.append(perform(machine, step))


def _stretches(operations: Sequence[Operation]) -> Iterator[Sequence[Operation]]:
    """Yield the runs of operations that end with a migration, and the rest."""
    start = 0
    for end in [at for at, step in enumerate(operations, 1) if step.op == "migrate"] + [len(operations)]:
        yield operations[start:end]
        start = end
