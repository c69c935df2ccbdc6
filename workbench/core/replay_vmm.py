"""What the VMM of a replayed machine does by ioctls and its own mapping of guest memory: reset, snapshot, copy rounds.

Nothing here is an engine's: each operation is made of a few primitives (:class:`Primitives`), so it is written once.

* A reset of the machine is QEMU's system_reset: KVM_SET_MSRS of the first value of every register that QEMU carries, on
  every vCPU, in QEMU's order; a refused entry ends the list of that vCPU. Memory and memslots stay
  (target/i386/kvm/kvm.c, kvm_put_msrs at KVM_PUT_RESET_STATE). A protocol that the VMM serves forgets what it was told.
* A reset in place writes memory and registers of a snapshot into the live machine, memory first; memslots, the
  hypervisor's caches and its pending requests stay (QEMU migration/savevm.c, load_snapshot). Without a snapshot it is
  the state in which the machine began: zeroed memory, registers at their first values.
* Copy rounds send memory while the machine runs: whatever is new, then what the dirty log and the VMM's own writes name
  (Documentation/virt/kvm/api.rst, 4.8 KVM_GET_DIRTY_LOG). A migration after them carries what they have sent.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from workbench.core.contracts import Protocol
from workbench.core.pages import PAGE_SHIFT, PAGE_SIZE
from workbench.core.vmm import QEMU, Vmm

#: KVM_SET_MSRS and KVM_GET_MSRS take fewer entries than this (arch/x86/kvm/x86.c, MAX_IO_MSRS).
MAX_IO_MSRS = 256
Entries = tuple[tuple[int, int], ...]
#: Guest memory [gpa, end), page by page.
Range = tuple[int, int]


class Snapshot(NamedTuple):
    """Memory and registers of a machine: pages by frame number (those not named are zero), registers of each vCPU."""

    pages: Mapping[int, bytes]
    registers: tuple[Entries, ...]
    served: Mapping[Any, Any]  #: what a protocol in user space remembers


class Rounds:
    """The memory that copy rounds have sent; pages that are not in ``content`` are zero."""

    def __init__(self) -> None:
        self.content: dict[int, bytes] = {}
        self.known: set[Range] = set()


class Primitives:
    """What an engine supplies. ``protocol`` is the one that it runs; pages are named by frame number (gpa >> 12)."""

    protocol: Protocol

    def vcpu_count(self) -> int:
        """Return the number of vCPUs."""
        raise NotImplementedError

    def offered(self, cpu: int) -> frozenset[int]:
        """Return the bits of leaf 0x40000001 EAX that the vCPU is offered."""
        raise NotImplementedError

    def host_set_msrs(self, cpu: int, entries: Entries) -> int:
        """KVM_SET_MSRS; return how many entries were processed: it stops at the first one that is refused."""
        raise NotImplementedError

    def host_get_msrs(self, cpu: int, registers: Sequence[int]) -> tuple[int, ...]:
        """KVM_GET_MSRS; return the values of those processed: it stops at the first register that cannot be read."""
        raise NotImplementedError

    def memslots(self) -> Iterable[Range]:
        """Return the memslots that exist."""
        raise NotImplementedError

    def content(self) -> Iterator[tuple[int, bytes]]:
        """Yield the pages of guest memory that are not zero."""
        raise NotImplementedError

    def page(self, frame: int) -> bytes:
        """Return one page of guest memory."""
        raise NotImplementedError

    def write_page(self, frame: int, data: bytes) -> None:
        """Write a page by the VMM's own mapping, also where the guest may only read."""
        raise NotImplementedError

    def begin_log(self) -> None:
        """Begin to log written pages: those of the guest, of KVM, and of the VMM."""
        raise NotImplementedError

    def take_log(self) -> set[int]:
        """Return the pages written since the last call."""
        raise NotImplementedError

    def served(self) -> MutableMapping[Any, Any]:
        """Return what a protocol that user space serves remembers."""
        raise NotImplementedError


class VmmSide(Primitives):
    """The operations made of the primitives; an engine's target inherits them."""

    def __init__(self) -> None:
        self.snapshot_taken: Snapshot | None = None
        self.rounds: Rounds | None = None

    def host_set_msr(self, cpu: int, msr: int, value: int) -> bool:
        """KVM_SET_MSRS with one entry; tell whether it was accepted."""
        return self.host_set_msrs(cpu, ((msr, value),)) == 1

    def host_get_msr(self, cpu: int, msr: int) -> int | None:
        """KVM_GET_MSRS with one entry; None if it was not processed."""
        found = self.host_get_msrs(cpu, (msr,))
        return found[0] if found else None

    def carried(self, cpu: int, vmm: Vmm) -> tuple[int, ...]:
        """Return the registers that ``vmm`` carries of a vCPU, in order."""
        return tuple(one.msr for one in vmm.registers(self.offered(cpu)))

    def _first_values(self, cpu: int) -> Entries:
        """Return the registers that QEMU writes when it resets the machine, with their first values."""
        return tuple((one.msr, one.initial) for one in QEMU.registers(self.offered(cpu)))

    def read_listed(self, cpu: int, registers: Sequence[int]) -> Entries:
        """Read a VMM's own list of registers for a migration; those that cannot be read are left out."""
        found: list[tuple[int, int]] = []
        left = registers
        while left:
            values = self.host_get_msrs(cpu, left)
            found += zip(left, values, strict=False)
            left = left[len(values) + 1 :]
        return tuple(found)

    def restore_listed(self, cpu: int, entries: Entries, vmm: Vmm) -> int:
        """Write the registers of a migration as ``vmm`` does; return how many were refused."""
        refused, left = 0, entries
        while left and (processed := self.host_set_msrs(cpu, left)) < len(left):
            refused += 1
            left = left[processed + 1 :] if vmm.skips else ()
        return refused

    # -- reset, snapshot -------------------------------------------------------------------------------

    def system_reset(self) -> None:
        """Reset the machine as QEMU does: the registers of every vCPU that it is offered; memory stays."""
        if self.protocol.answers_itself:
            self.served().clear()
        for cpu in range(self.vcpu_count()):
            self.host_set_msrs(cpu, self._first_values(cpu))

    def snapshot(self) -> None:
        """Keep memory and registers for :meth:`reset_in_place`."""
        registers = (self.read_listed(cpu, self.carried(cpu, QEMU)) for cpu in range(self.vcpu_count()))
        served = dict(self.served()) if self.protocol.answers_itself else {}
        self.snapshot_taken = Snapshot(dict(self.content()), tuple(registers), served)

    def reset_in_place(self) -> None:
        """Write the snapshot into the live machine; memory that is in no memslot now is left out."""
        first = Snapshot({}, tuple(map(self._first_values, range(self.vcpu_count()))), {})
        wanted = self.snapshot_taken or first
        self._fill(wanted.pages)
        if self.protocol.answers_itself:
            served = self.served()
            served.clear()
            served.update(wanted.served)
        for cpu, entries in enumerate(wanted.registers):
            self.host_set_msrs(cpu, entries)

    def _fill(self, pages: Mapping[int, bytes]) -> None:
        """Make guest memory hold ``pages``, and zeros elsewhere."""
        there = dict(self.content())
        for frame in there.keys() - pages.keys():
            self.write_page(frame, bytes(PAGE_SIZE))
        slots = tuple(self.memslots())
        for frame, data in pages.items():
            if there.get(frame) != data and any(low <= frame << PAGE_SHIFT < high for low, high in slots):
                self.write_page(frame, data)

    # -- copy rounds -----------------------------------------------------------------------------------

    def copy_round(self) -> tuple[Range, ...]:
        """Send memory that is new, and pages written since the last round; return what was sent, in order."""
        if self.rounds is None:
            self.rounds = Rounds()
            self.begin_log()
        rounds = self.rounds
        slots = tuple(self.memslots())
        fresh = [slot for slot in slots if slot not in rounds.known]
        dirty = {frame for frame in self.take_log() if not _inside(frame, fresh)}
        if fresh:
            self._send_whole(rounds, fresh)
        for frame in dirty:
            rounds.content[frame] = self.page(frame)
        rounds.known = set(slots)
        return merged([*fresh, *((frame << PAGE_SHIFT, frame + 1 << PAGE_SHIFT) for frame in dirty)])

    def _send_whole(self, rounds: Rounds, slots: Sequence[Range]) -> None:
        for frame in [frame for frame in rounds.content if _inside(frame, slots)]:
            del rounds.content[frame]
        rounds.content.update((frame, data) for frame, data in self.content() if _inside(frame, slots))

    def arrived(self) -> Mapping[int, bytes] | None:
        """Send the last round and return the memory of the destination; None if there were no copy rounds."""
        if self.rounds is None:
            return None
        self.copy_round()
        rounds, self.rounds = self.rounds, None
        return {frame: data for frame, data in rounds.content.items() if _inside(frame, rounds.known)}

    def memslot_changed(self, gpa: int) -> None:
        """A memslot at ``gpa`` went, came or has other pages: its log is lost, so the next round sends it whole."""
        if self.rounds is not None:
            self.rounds.known = {slot for slot in self.rounds.known if slot[0] != gpa}


def _inside(frame: int, ranges: Iterable[Range]) -> bool:
    return any(low <= frame << PAGE_SHIFT < high for low, high in ranges)


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return ``ranges`` in order, those that touch or overlap as one."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)
