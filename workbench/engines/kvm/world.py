"""The World of the transition function on a real machine: our own handlers act on it during an MSR exit.

The rule kept here: a handler reaches guest memory through the VMM's own mapping and only where a memslot of the
guest backs it; its entries are in the machine's table, and time is the host's. Everything runs in
user space, so KERNEL and USER are the same side here and :class:`ToUser` changes nothing.
"""

from collections.abc import Hashable
from typing import Any, Protocol

from workbench.core.pages import PAGE_SIZE, pieces
from workbench.core.relay import driven
from workbench.core.steps import KERNEL, Exit, Moment, Program, Side, ToUser
from workbench.core.transition import perform
from workbench.core.vcpu import Vcpu
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import EngineError

_TSC = 0x10


class WorldOwner(Protocol):
    """The interface that a world needs of its machine."""

    guest: Guest
    records: dict[int, Vcpu]
    entries: dict[Hashable, Any]
    ever: dict[Hashable, Any]
    notes: dict[Hashable, Any]
    under: dict[int, bytes]  #: by gpa: the guest's page under a page of the host


def backs(guest: Guest, gpa: int, size: int, *, writable: bool) -> bool:
    """Tell whether memslots of the guest's own (not the engine's) back all of [gpa, gpa + size)."""
    end = gpa + max(size, 1)
    return 0 <= gpa < end <= longmode.STUB_GPA and guest.memory.backed(gpa, max(size, 1), writable=writable)


class KvmWorld:
    """One vCPU's view of the machine."""

    def __init__(self, machine: WorldOwner, cpu: int) -> None:
        self._machine, self._cpu = machine, cpu
        self.by_kernel: set[int] = set()  #: pages that the kernel's part of the protocol has written, by gpa

    def carry_out(self, stream: Program) -> Any:
        """Carry out a stream of (side, step) to its end; return its result."""
        return driven(stream, lambda own: perform(self, self._cpu, *own))

    # -- guest memory ----------------------------------------------------------------------------------

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        guest = self._machine.guest
        return guest.memory.read(gpa, size) if backs(guest, gpa, size, writable=False) else None

    def poke(self, gpa: int, data: bytes, side: Side, *, logged: bool = True) -> bool:
        guest = self._machine.guest
        if not backs(guest, gpa, len(data), writable=True):
            return False
        guest.memory.write(gpa, data, logged=logged)
        if logged:
            self._enter_in_log(gpa, len(data), side)
        return True

    def mark_dirty(self, gpa: int, size: int, side: Side) -> None:
        self._machine.guest.memory.mark_dirty(gpa, size)
        self._enter_in_log(gpa, size, side)

    def _enter_in_log(self, gpa: int, size: int, side: Side) -> None:
        if side is KERNEL:
            self.by_kernel.update(at - at % PAGE_SIZE for at, _ in pieces(gpa, size))

    def backed(self, gpa: int, size: int, side: Side) -> bool:
        return backs(self._machine.guest, gpa, size, writable=True)

    def share(self, gpa: int, size: int, shared: bool) -> int:
        raise EngineError("a page of this guest cannot be made private: the guest is not encrypted", "kvm")

    def cover(self, gpa: int, side: Side) -> bool:
        """Copy the guest's page away and write zeros: what the guest sees is what another page under it would show."""
        machine = self._machine
        if gpa in machine.under or not backs(machine.guest, gpa, PAGE_SIZE, writable=True):
            return False
        machine.under[gpa] = machine.guest.memory.read(gpa, PAGE_SIZE)
        machine.guest.memory.write(gpa, bytes(PAGE_SIZE))
        return True

    def uncover(self, gpa: int) -> bool:
        machine = self._machine
        if gpa not in machine.under:
            return False
        page = machine.under.pop(gpa)
        if backs(machine.guest, gpa, PAGE_SIZE, writable=True):
            machine.guest.memory.write(gpa, page)
        return True

    # -- what the host remembers -------------------------------------------------------------------------

    def get(self, key: Hashable) -> Any:
        return self._machine.entries.get(key)

    def set(self, key: Hashable, value: Any) -> None:
        if value is None:
            self._machine.entries.pop(key, None)
        else:
            self._machine.entries[key] = self._machine.ever[key] = value

    def note(self, key: Hashable, value: Any) -> None:
        if value is None:
            self._machine.notes.pop(key, None)
        else:
            self._machine.notes[key] = value

    def now(self) -> Moment:
        """Return KVM's clock of this VM, the guest's TSC, and how long the vCPU's thread waited for a CPU."""
        guest = self._machine.guest
        (tsc,) = guest.vcpu(self._cpu).get_msrs([_TSC])
        return Moment(guest.vm.get_clock().clock, tsc, guest.executor(self._cpu).thread.run_delay())

    # -- exits -----------------------------------------------------------------------------------------

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        """Answer with the vCPU's record; the exit itself was counted when KVM_RUN returned."""
        return self._machine.records[cpu]

    def to_user(self, cpu: int, step: ToUser) -> None:
        """Do nothing: the exit has already reached user space."""

    def vcpus(self) -> tuple[int, ...]:
        """Return the vCPUs that KVM_CREATE_VCPU has made."""
        return tuple(self._machine.records)

    def quiesce(self, cpu: int) -> None:
        """Do nothing: our handlers and updates hold one lock from beginning to end, so no other is running."""
