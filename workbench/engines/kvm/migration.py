"""Live migration between two VMs: save and restore on a real machine, and the stream of memory pages.

The rules kept here: the state of the vCPUs, including KVM's own paravirtual registers, is transferred by the ioctls
that QEMU uses (``state``); a protocol's state in user space is transferred only by its own ``save`` and
``restore``. The saved state is a tuple of items, one for each paravirtual register and for each item of the
protocol; they are restored in this order. Memory is copied while the vCPUs still run, then the pages that they
and the VMM wrote meanwhile.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

from workbench.core.address_map import Region
from workbench.core.contracts import Protocol
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.core.vmm import STOPS_SHORT, Vmm
from workbench.engines.kvm.api.memory import PAGE, READONLY, GuestMemory
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.guest.longmode import STUB_SLOT
from workbench.engines.kvm.registers import native_features
from workbench.engines.kvm.state import GuestState, MemoryCopy


class SaveState(NamedTuple):
    """A step that reads the state of the VM by KVM's ioctls; the answer is a GuestState."""


class LoadState(NamedTuple):
    """A step that writes a GuestState into the VM by KVM's ioctls, the vCPUs in ``order``, as ``vmm`` does.

    The answer is how many paravirtual registers KVM refused.
    """

    state: GuestState
    order: tuple[int, ...]
    vmm: Vmm = STOPS_SHORT


class TellStopped(NamedTuple):
    """A step that says to KVM that the guest was stopped (KVM_KVMCLOCK_CTRL); the answer is whether KVM accepts it."""

    cpu: int


#: Kinds of items of a saved machine: state outside any protocol, a register of KVM's own, an item of the protocol.
MACHINE, REGISTER, OWN = "machine", "register", "own"


def items_of(state: GuestState, own: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a saved machine as items: the state, (cpu, index, value) of each register, the protocol's items."""
    registers = ((cpu, *pair) for cpu, vcpu in enumerate(state.vcpus) for pair in vcpu.pv_msrs)
    return (
        (MACHINE, state),
        *((REGISTER, register) for register in registers),
        *((OWN, item) for item in own),
    )


def state_of(items: tuple[Any, ...]) -> LoadState:
    """Return the step that loads a saved machine, with the registers and their order as in the items."""
    (state,) = (content for kind, content in items if kind == MACHINE)
    registers: dict[int, list[tuple[int, int]]] = {}
    for kind, content in items:
        if kind == REGISTER:
            cpu, index, value = content
            registers.setdefault(cpu, []).append((index, value))
    vcpus = tuple(replace(vcpu, pv_msrs=tuple(registers.get(cpu, ()))) for cpu, vcpu in enumerate(state.vcpus))
    order = (*registers, *(cpu for cpu in range(len(vcpus)) if cpu not in registers))
    return LoadState(replace(state, vcpus=vcpus), order)


class OnKvm:
    """A protocol for events on a real machine: its guest side unchanged; what its VMM does includes KVM's own state."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: return the items of KVM's state and those of the protocol's state in user space."""
        state = yield SaveState()
        return items_of(state, (yield from self._protocol.save(cpus)) if self._protocol.answers_itself else ())

    def vmm_keeps(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: return the items that the protocol's VMM serves itself."""
        own = (yield from self._protocol.vmm_keeps(cpus)) if self._protocol.answers_itself else ()
        return tuple((OWN, item) for item in own)

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        """VMM: restore both on the destination; return how many items it refused."""
        vmm = cpus[0].host.vmm
        refused: int = yield state_of(saved)._replace(vmm=vmm)
        if self._protocol.answers_itself and not vmm.ends(refused):
            refused += (yield from self._protocol.restore(cpus, tuple(i for kind, i in saved if kind == OWN))) or 0
        return refused

    def on_guest_stopped(self, cpu: Vcpu) -> Program:
        """VMM: say that the guest was stopped, to whoever serves the clock: KVM, or the protocol in user space."""
        protocol = self._protocol
        kvms = any(feature.stop_flag is not None for feature in native_features(protocol, protocol.features))
        if protocol.answers_itself and not kvms:
            return (yield from protocol.on_guest_stopped(cpu))
        return (yield TellStopped(cpu.index))


def memslots_of(guest: Guest) -> tuple[Region, ...]:
    """Return the guest's own memslots, the engine's left out."""
    return tuple(
        Region(slot.gpa, slot.size, bool(slot.flags & READONLY))
        for slot in guest.memory.slots
        if slot.slot != STUB_SLOT
    )


class Stream:
    """Guest memory on its way to another host: the latest content of every page, round by round."""

    def __init__(self, source: Guest) -> None:
        self.rounds: list[int] = []  #: pages sent in each round
        self._source = source.memory
        self._pages: dict[int, bytes] = {}
        # A stream can be the destination of MemoryCopy, which only calls ``write``.
        self._copy = MemoryCopy(source.memory, cast(GuestMemory, self))

    def write(self, gpa: int, data: bytes, *, through_readonly: bool = False) -> None:
        """Store one page."""
        self._pages[gpa] = data

    def send_everything(self) -> None:
        """Send all pages: the first round, while the vCPUs run."""
        self.rounds.append(self._copy.everything())

    def send_dirty(self, by_kernel: Collection[int] = (), *, own_log: bool = True) -> None:
        """Send the pages written since the last round, by KVM's log and, with ``own_log``, by our own writes.

        ``by_kernel``: pages that a kernel's part of a protocol has written, by gpa; without ``own_log`` they are added.
        """
        sent = self._copy.dirty(host_writes=own_log)
        self.rounds.append(sent if own_log else sent + self.send_pages(by_kernel))

    def send_pages(self, pages: Collection[int]) -> int:
        """Send these pages, given by gpa; return how many."""
        for gpa in pages:
            self.write(gpa, self._source.read(gpa, PAGE))
        return len(pages)

    def stop(self) -> None:
        """The machine stays where it is: end the log of written pages."""
        self._copy.stop()

    def arrive(self, destination: Guest) -> None:
        """Write all pages into the destination."""
        for gpa, data in self._pages.items():
            destination.memory.write(gpa, data, through_readonly=True)
