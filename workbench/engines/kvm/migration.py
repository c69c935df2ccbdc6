"""Live migration between two VMs: what an event's save and restore are on a real machine, and the pages under way.

The rules kept here: the state of the vCPUs, KVM's own paravirtual registers among it, goes through the ioctls
that QEMU uses (``state``); what a protocol remembers in user space goes by its own ``save`` and ``restore``, and
by nothing else. What is saved is a tuple of items, one for each paravirtual register and for each that the protocol
has; they are put back in the order in which they stand. Memory is copied while the vCPUs still run, then what they
and the VMM wrote meanwhile.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

from workbench.core.address_map import Region
from workbench.core.contracts import Protocol
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.engines.kvm.api.memory import READONLY, GuestMemory
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.guest.longmode import STUB_SLOT
from workbench.engines.kvm.state import GuestState, MemoryCopy


class SaveState(NamedTuple):
    """Read the state of the VM by KVM's ioctls; the answer is a GuestState."""


class LoadState(NamedTuple):
    """Write a GuestState into the VM by KVM's ioctls, the vCPUs in ``order``."""

    state: GuestState
    order: tuple[int, ...]


#: What an item of a saved machine is: all that no protocol is about, a register of KVM's own, or the protocol's item.
MACHINE, REGISTER, OWN = "machine", "register", "own"


def items_of(state: GuestState, own: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a saved machine as items: the state, (cpu, index, value) of each register, what the protocol saved."""
    registers = ((cpu, *pair) for cpu, vcpu in enumerate(state.vcpus) for pair in vcpu.pv_msrs)
    return (
        (MACHINE, state),
        *((REGISTER, register) for register in registers),
        *((OWN, item) for item in own),
    )


def state_of(items: tuple[Any, ...]) -> LoadState:
    """Return what is to be loaded: the machine with the registers as the items have them, in their order."""
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
    """A protocol as lifecycle events see it here: its own guest side; save and restore include the VM's state."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: return the items of what KVM tells of itself, and of what the protocol carries of user space."""
        state = yield SaveState()
        return items_of(state, (yield from self._protocol.save(cpus)) if self._protocol.deflected else ())

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        """VMM: write both on the destination."""
        yield state_of(saved)
        if self._protocol.deflected:
            yield from self._protocol.restore(cpus, tuple(item for kind, item in saved if kind == OWN))


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
        self._pages: dict[int, bytes] = {}
        # A stream takes pages as a destination's memory does: MemoryCopy asks for no more than ``write``.
        self._copy = MemoryCopy(source.memory, cast(GuestMemory, self))

    def write(self, gpa: int, data: bytes, *, through_readonly: bool = False) -> None:
        """Take one page."""
        self._pages[gpa] = data

    def send_everything(self) -> None:
        """The first round, while the vCPUs run."""
        self.rounds.append(self._copy.everything())

    def send_dirty(self) -> None:
        """One more round: what became dirty since, by KVM's log and by our own writes."""
        self.rounds.append(self._copy.dirty())

    def arrive(self, destination: Guest) -> None:
        """Write all pages into the destination."""
        for gpa, data in self._pages.items():
            destination.memory.write(gpa, data, through_readonly=True)
