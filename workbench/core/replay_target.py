"""What an engine offers to a replay: one method for each operation, and what it answers.

A replay drives a whole machine from outside, as a VMM and its guest would, and compares what came back. The
same file runs on the simulator and on a real KVM; so the rules kept here are those a real KVM can keep:

* Every guest access runs at CPL 0, and the vCPU enters the guest for it (as KVM_RUN does): payload updates
  that are due for this vCPU are delivered first.
* A guest's access to a register that nobody claims is UNKNOWN to the VMM (KVM_CAP_X86_USER_SPACE_MSR reports
  it so) and #GP to the guest; kvm.ignore_msrs is off.
* ``host_set_msr`` and ``host_get_msr`` are one entry of KVM_SET_MSRS and KVM_GET_MSRS; no MSR filter applies.
* ``store`` and ``load`` reach RAM as the guest would; outside of it they are FAULT, and nothing is written.
* ``migrate`` saves every register the VMM's list carries, in QEMU's order, and restores it on a new host, which
  remembers nothing else; CPUID goes first, memory goes along (QEMU target/i386/kvm/kvm.c, kvm_put_msrs).

What the machine is asked must be possible; an engine raises a WorkbenchError where it is not (a memslot that
overlaps another, more vCPUs than it has), never for what the guest does.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from workbench.core import contracts
from workbench.core.outcome import Outcome


class MachineSpec(NamedTuple):
    """A machine as a replay asks for it; its memory is empty at first."""

    vcpus: int = 1
    irqchip: bool = True  #: the LAPIC is in the kernel


class Reading(NamedTuple):
    """What a guest's RDMSR came to; ``value`` (u64) only if it was HANDLED."""

    outcome: Outcome
    value: int | None = None


class Target(Protocol):
    """A machine that carries out replay operations. ``cpu`` is a vCPU's index; gpa and sizes are bytes."""

    #: False: the engine reports FAULT for a register that nobody claims, because it cannot tell the two apart.
    tells_unknown: bool

    def add_ram(self, gpa: int, size: int) -> None:
        """Add a memslot of zeroed memory; raise WorkbenchError if it is not possible."""

    def delete_ram(self, gpa: int) -> None:
        """Delete the memslot that begins at ``gpa``; raise WorkbenchError if there is none."""

    def store(self, gpa: int, data: bytes) -> Outcome:
        """Write guest memory: HANDLED, or FAULT if any byte is outside RAM."""

    def load(self, gpa: int, size: int) -> bytes | None:
        """Return guest memory, or None if any byte is outside RAM."""

    def wrmsr(self, cpu: int, msr: int, value: int) -> Outcome:
        """The guest writes a register."""

    def rdmsr(self, cpu: int, msr: int) -> Reading:
        """The guest reads a register."""

    def host_set_msr(self, cpu: int, msr: int, value: int) -> bool:
        """The VMM writes a register; tell whether KVM accepted the entry."""

    def host_get_msr(self, cpu: int, msr: int) -> int | None:
        """The VMM reads a register; None if KVM did not process the entry."""

    def set_cpuid(self, cpu: int, features: frozenset[int], enforce: bool) -> None:
        """Offer these bits of leaf 0x40000001 EAX; with ``enforce`` they decide which registers exist."""

    def run(self, cpu: int) -> None:
        """The vCPU enters the guest once and comes back; what is due is delivered."""

    def init(self, cpu: int) -> None:
        """The vCPU receives INIT and runs again (for an application CPU: its SIPI came)."""

    def migrate(self) -> None:
        """The machine goes on, on another host."""

    def close(self) -> None:
        """Give back what the machine holds; may be called twice."""


class Engine(NamedTuple):
    """An engine that can replay: the module ``target`` of an engine holds one, called ``ENGINE``."""

    name: str
    why_not: Callable[[], str | None]  #: why it cannot run here, in one line; None if it can
    open: Callable[[MachineSpec, contracts.Protocol], Target]
