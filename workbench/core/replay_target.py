"""The interface that an engine implements for replays: one method for each operation, with its answer.

A replay drives a whole machine from outside, as a VMM and its guest would, and compares the answers. The
same file runs on the simulator and on a real KVM, so the rules here are limited to those that a real KVM can follow:

* Every guest access runs at CPL 0, and the vCPU enters the guest for it (as KVM_RUN does): payload updates
  that are due for this vCPU are delivered first.
* A guest's access to a register that is not claimed is UNKNOWN for the VMM (KVM_CAP_X86_USER_SPACE_MSR reports
  it so) and #GP for the guest; kvm.ignore_msrs is off.
* ``host_set_msrs`` and ``host_get_msrs`` are one KVM_SET_MSRS and KVM_GET_MSRS; no MSR filter applies.
* ``store`` and ``load`` access RAM as the guest would; outside RAM they are FAULT, and nothing is written. A store to
  a read-only memslot is FAULT, too.
* ``migrate`` saves every register of the VMM's list, and restores them on a new host, which holds no other state; CPUID
  and the MSR filter are set first, memory is copied (QEMU target/i386/kvm/kvm.c, kvm_put_msrs).
* A memslot changes its host pages, or becomes read-only, by being deleted and added again: KVM_SET_USER_MEMORY_REGION
  refuses any other way (virt/kvm/kvm_main.c, kvm_set_memory_region).

What every VMM does by these operations alone is in ``workbench.core.replay_vmm``.

An engine raises a WorkbenchError for an operation that the machine cannot carry out (a memslot that overlaps
another, a vCPU that it does not have), never for what the guest does.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from workbench.core import contracts
from workbench.core.msr_filter import MsrFilter
from workbench.core.outcome import Becomes, Outcome
from workbench.core.replay_vmm import Entries, Range
from workbench.core.vmm import STOPS_SHORT, Vmm


class MachineSpec(NamedTuple):
    """The machine that a replay requests; at first it has no memory."""

    vcpus: int = 1
    irqchip: bool = True  #: the LAPIC is in the kernel


class Reading(NamedTuple):
    """The result of a guest's RDMSR; ``value`` (u64) is set only if it was HANDLED."""

    outcome: Outcome
    value: int | None = None


class ClockReading(NamedTuple):
    """The result of KVM_GET_CLOCK: the VM's clock, and the time of day at that moment, where the host tells it."""

    ns: int
    realtime: int | None  #: CLOCK_REALTIME in ns; None without KVM_CLOCK_REALTIME


class Target(Protocol):
    """A machine that carries out replay operations. ``cpu`` is a vCPU's index; gpa and sizes are bytes."""

    #: False: the engine reports FAULT for a register that is not claimed, because it cannot distinguish the two.
    tells_unknown: bool

    def add_ram(self, gpa: int, size: int, readonly: bool = False) -> None:
        """Add a memslot of zeroed memory; raise WorkbenchError if it is not possible."""

    def protect_ram(self, gpa: int, readonly: bool) -> None:
        """Make the memslot that begins at ``gpa`` read-only, or writable again."""

    def move_ram(self, gpa: int) -> None:
        """Give the memslot that begins at ``gpa`` other pages of the host, with the same content."""

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

    def host_set_msrs(self, cpu: int, entries: Entries) -> int:
        """The VMM writes a list of registers; return how many KVM processed before one that it refused."""

    def host_get_msrs(self, cpu: int, registers: Sequence[int]) -> tuple[int, ...]:
        """The VMM reads a list of registers; the values end before the first that KVM did not process."""

    def filter_msrs(self, wanted: MsrFilter) -> None:
        """The VMM filters the guest's accesses; a denied one is #GP."""

    def hypercall(self, cpu: int, number: int, arguments: tuple[int, ...]) -> tuple[int, ...]:
        """The guest makes a hypercall; return what its registers hold after it, without sign, the result first."""

    def set_cpuid(self, cpu: int, features: frozenset[int], enforce: bool) -> None:
        """Offer these bits of leaf 0x40000001 EAX; with ``enforce`` they decide which registers exist."""

    def run(self, cpu: int) -> None:
        """The vCPU enters the guest once and exits; due updates are delivered."""

    def init(self, cpu: int) -> None:
        """The vCPU receives INIT and runs again (an application CPU as if it had received its SIPI)."""

    def kvmclock_ctrl(self, cpu: int) -> bool:
        """The VMM says that the guest was stopped (KVM_KVMCLOCK_CTRL); tell whether the host accepted it."""

    def set_clock(self, ns: int, realtime: int | bool) -> None:
        """The VMM sets the VM's clock (KVM_SET_CLOCK), as of a time of day in ns; True: of now; False: without one."""

    def get_clock(self) -> ClockReading:
        """The VMM reads the VM's clock (KVM_GET_CLOCK)."""

    def system_reset(self) -> None:
        """The VMM resets the machine, as QEMU's system_reset does."""

    def snapshot(self) -> None:
        """The VMM keeps memory and registers."""

    def reset_in_place(self) -> None:
        """The VMM writes the last snapshot into the live machine; without one, the state in which it began."""

    def copy_round(self) -> tuple[Range, ...]:
        """The VMM sends new memory and dirty pages to the next migration's destination; return what it sent."""

    def migrate(self, registers: Sequence[int] | None = None, vmm: Vmm = STOPS_SHORT) -> Becomes:
        """The machine moves to another host and continues there; without ``registers``, by the list of ``vmm``.

        Return what becomes of it. If the VMM of the destination ends it, the source is as it was, and can go on.
        """

    def close(self) -> None:
        """Release the resources of the machine; may be called twice."""


class Engine(NamedTuple):
    """An engine that can replay; its module ``target`` defines one, called ``ENGINE``."""

    name: str
    why_not: Callable[[], str | None]  #: why it cannot run here, in one line; None if it can
    open: Callable[[MachineSpec, contracts.Protocol], Target]
