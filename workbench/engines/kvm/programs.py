"""Runs guest programs on a real vCPU: each step is executed by guest code, in the vCPU's own thread.

The rules kept here: the guest's stores are recorded, to distinguish them from writes by others; exits that reach
user space are counted when KVM_RUN returns them. A program at CPL 3 makes its register accesses at CPL 3; its
loads and stores are executed at CPL 0, because no rule of a protocol depends on their CPL; its hypercalls and accesses
to devices are refused as the architecture and KVM refuse them. Hypercalls are carried by an OUT, see ``guest.stubs``.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from workbench.core.hypercalls import KVM_EPERM
from workbench.core.outcome import FAULT
from workbench.core.relay import driven
from workbench.core.rules.sides import objection
from workbench.core.steps import (
    GUEST,
    Hypercall,
    Load,
    MmioRead,
    MmioWrite,
    Note,
    PioRead,
    PioWrite,
    Program,
    Rdmsr,
    Store,
    Wrmsr,
)
from workbench.core.transition import decode, encode, size_of
from workbench.engines.kvm.api.exits import IoExit, MmioExit, MsrExit
from workbench.engines.kvm.guest.executor import Executor, StubResult
from workbench.engines.kvm.world import KvmWorld
from workbench.errors import WorkbenchError


class Done(NamedTuple):
    """The result of a program on its vCPU."""

    counts: Counter[str]
    stores: list[tuple[int, bytes]]  #: what the guest stored, in order: (gpa, bytes)
    refused: dict[int, int | None]  #: by register: the value that its last write at CPL 0 was refused, or None


class GuestCode:
    """Runs one program to its end on one vCPU."""

    def __init__(self, executor: Executor, world: KvmWorld, cpl: int) -> None:
        self._executor, self._world, self._cpl = executor, world, cpl
        self._counts: Counter[str] = Counter()
        self._stores: list[tuple[int, bytes]] = []
        self._refused: dict[int, int | None] = {}

    def run(self, program: Program) -> Done:
        """Execute ``program``; to be called in the vCPU's thread."""
        driven(program, self._carry_out)
        return Done(self._counts, self._stores, self._refused)

    def _carry_out(self, step: Any) -> Any:
        action = _ACTIONS.get(type(step))
        if action is None:
            raise WorkbenchError(objection(GUEST, step))
        return action(self, step)

    def _count(self, what: str, result: StubResult) -> StubResult:
        counts = self._counts
        counts[what] += 1
        for each in result.exits:
            counts["user_exits"] += 1
            counts[_EXITS[type(each)]] += 1
        return result

    def _load(self, step: Load) -> Any:
        result = self._count("guest_loads", self._executor.load(step.gpa, size_of(step.what)))
        return decode(step.what, result.data)

    def _store(self, step: Store) -> bool:
        data = encode(step)
        self._count("guest_stores", self._executor.store(step.gpa, data))
        self._stores.append((step.gpa, data))
        return True

    def _wrmsr(self, step: Wrmsr) -> Any:
        low = self._cpl == 0
        result = (
            self._executor.wrmsr(step.msr, step.value)
            if low
            else self._executor.user("user wrmsr", step.msr, step.value)
        )
        outcome = self._count("guest_wrmsrs", result).outcome
        if low:
            self._refused[step.msr] = step.value if outcome is FAULT else None
        return outcome

    def _rdmsr(self, step: Rdmsr) -> Any:
        low = self._cpl == 0
        result = self._executor.rdmsr(step.msr) if low else self._executor.user("rdmsr", step.msr)
        self._count("guest_rdmsrs", result)
        return FAULT if result.outcome is FAULT else result.value

    def _hypercall(self, step: Hypercall) -> Any:
        if self._cpl:
            return -KVM_EPERM
        return self._count("guest_hypercalls", self._executor.hypercall(step.number, step.arguments)).value

    def _mmio_read(self, step: MmioRead) -> Any:
        if self._cpl:
            return FAULT
        result = self._count("guest_device_accesses", self._executor.load(step.gpa, step.size))
        return int.from_bytes(result.data, "little")

    def _mmio_write(self, step: MmioWrite) -> Any:
        if self._cpl:
            return FAULT
        data = step.value.to_bytes(step.size, "little")
        return self._count("guest_device_accesses", self._executor.store(step.gpa, data)).outcome

    def _pio_read(self, step: PioRead) -> Any:
        if self._cpl:
            return FAULT
        return self._count("guest_device_accesses", self._executor.read_port(step.port, step.size)).value

    def _pio_write(self, step: PioWrite) -> Any:
        if self._cpl:
            return FAULT
        return self._count(
            "guest_device_accesses", self._executor.write_port(step.port, step.value, step.size)
        ).outcome

    def _note(self, step: Note) -> None:
        self._world.note(step.key, step.value)


def device_step(access: MmioExit | IoExit) -> Any:
    """Return the guest's step that made this exit."""
    size, value = len(access.data), int.from_bytes(access.data, "little")
    if isinstance(access, MmioExit):
        return MmioWrite(access.gpa, value, size) if access.write else MmioRead(access.gpa, size)
    return PioWrite(access.port, value, size) if access.write else PioRead(access.port, size)


_EXITS: dict[type, str] = {MsrExit: "msr_exits", MmioExit: "mmio_exits", IoExit: "pio_exits"}

_ACTIONS: dict[type, Callable[[GuestCode, Any], Any]] = {
    Load: GuestCode._load,
    Store: GuestCode._store,
    Wrmsr: GuestCode._wrmsr,
    Rdmsr: GuestCode._rdmsr,
    Hypercall: GuestCode._hypercall,
    MmioRead: GuestCode._mmio_read,
    MmioWrite: GuestCode._mmio_write,
    PioRead: GuestCode._pio_read,
    PioWrite: GuestCode._pio_write,
    Note: GuestCode._note,
}
