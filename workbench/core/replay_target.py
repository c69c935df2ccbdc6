"""The interface that an engine implements for replays: one method for each operation, with its answer.

A replay drives a whole machine from outside, as a VMM and its guest would, and compares the answers. The
same file runs on the simulator and on a real KVM, so the rules here are limited to those that a real KVM can follow:

* Every guest access runs at CPL 0, and the vCPU enters the guest for it (as KVM_RUN does): payload updates
  that are due for this vCPU are delivered first.
* A guest's access to a register that is not claimed is UNKNOWN for the VMM (KVM_CAP_X86_USER_SPACE_MSR reports
  it so) and #GP for the guest; kvm.ignore_msrs is off.
* ``host_set_msr`` and ``host_get_msr`` are one entry of KVM_SET_MSRS and KVM_GET_MSRS; no MSR filter applies.
* ``store`` and ``load`` access RAM as the guest would; outside RAM they are FAULT, and nothing is written.
* ``migrate`` saves every register of the VMM's list, in QEMU's order, and restores them on a new host, which
  holds no other state; CPUID is set first, memory is copied (QEMU target/i386/kvm/kvm.c, kvm_put_msrs).

An engine raises a WorkbenchError for an operation that the machine cannot carry out (a memslot that overlaps
another, a vCPU that it does not have), never for what the guest does.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from workbench.core import contracts
from workbench.core.outcome import Outcome


class MachineSpec(NamedTuple):
    """The machine that a replay requests; at first it has no memory."""

    vcpus: int = 1
    irqchip: bool = True  #: the LAPIC is in the kernel


class Reading(NamedTuple):
    """The result of a guest's RDMSR; ``value`` (u64) is set only if it was HANDLED."""

    outcome: Outcome
    value: int | None = None


class Target(Protocol):
    """A machine that carries out replay operations. ``cpu`` is a vCPU's index; gpa and sizes are bytes."""

    #: False: the engine reports FAULT for a register that is not claimed, because it cannot distinguish the two.
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
        """The vCPU enters the guest once and exits; due updates are delivered."""

    def init(self, cpu: int) -> None:
        """The vCPU receives INIT and runs again (an application CPU as if it had received its SIPI)."""

    def kvmclock_ctrl(self, cpu: int) -> bool:
        """The VMM says that the guest was stopped (KVM_KVMCLOCK_CTRL); tell whether the host accepted it."""

    def migrate(self) -> None:
        """The machine moves to another host and continues there."""

    def close(self) -> None:
        """Release the resources of the machine; may be called twice."""


class Engine(NamedTuple):
    """An engine that can replay; its module ``target`` defines one, called ``ENGINE``."""

    name: str
    why_not: Callable[[], str | None]  #: why it cannot run here, in one line; None if it can
    open: Callable[[MachineSpec, contracts.Protocol], Target]
