"""How a real machine moves to another VM: memory in rounds by KVM's dirty log, then the host's state.

The rules kept here:

* Memory is sent in rounds. KVM_GET_DIRTY_LOG alone says what is dirty of KVM's own writes. What the old VM then holds
  and the new one does not is compared byte by byte.
* Under an event that sends memory itself (SendMemory, SendDirty), the rounds are the event's. Under any other they are
  made when the vCPUs stop, with both logs; the simulator then carries all memory, so only a host that writes and does
  not log makes a difference.
* A protocol's kernel part runs in user space here. Its logged writes count as those of a kernel: they are sent with
  KVM's log, whether or not the VMM's own log is.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from workbench.checking.ghosts import names_at
from workbench.core.address_map import Region
from workbench.core.scenario import Scenario
from workbench.core.sent_memory import Sending, differing, pages_of
from workbench.core.vcpu import Vcpu
from workbench.engines.kvm.api.memory import PAGE
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.migration import Stream, memslots_of
from workbench.engines.kvm.world import KvmWorld


class Moves:
    """The part of a real machine that sends it to another VM, and is what arrives there."""

    scenario: Scenario
    guest: Guest
    records: dict[int, Vcpu]
    entries: dict[Hashable, Any]
    under: dict[int, bytes]
    rounds: tuple[int, ...]
    lost_bytes: int  #: bytes of memory that were not sent after their last change
    lost_pages: int  #: how many pages these lie in
    lost_in: tuple[str, ...]  #: what these belong to
    _stream: Stream | None
    _sending: Sending | None
    _kvms: dict[Hashable, Any]
    _refused: dict[tuple[int, int], int | None]
    _worlds: dict[int, KvmWorld]

    def enter_once(self, cpu: int) -> None:
        """Let the vCPU enter the guest."""
        raise NotImplementedError

    def held(self) -> dict[Hashable, Any]:
        """Return the host's present entries."""
        raise NotImplementedError

    def _open(self, record: Vcpu, slots: tuple[Region, ...], cpuid: frozenset[int] | None) -> Guest:
        raise NotImplementedError

    # -- memory in rounds, by the event --------------------------------------------------------------------

    def sending(self) -> Sending | None:
        return self._sending

    def send_memory(self, own_log: bool) -> None:
        self._sending = Sending(own_log)
        self._stream = Stream(self.guest)
        self._stream.send_everything()
        self._by_kernel()

    def send_dirty(self, last: bool) -> None:
        assert self._stream is not None
        assert self._sending is not None
        self._stream.send_dirty(self._by_kernel(), own_log=self._sending.own_log)
        self._sending = self._sending._replace(is_over=last)

    def _by_kernel(self) -> set[int]:
        """Return the pages that kernel parts of the protocol have written since the last call."""
        found: set[int] = set()
        for world in self._worlds.values():
            found |= world.by_kernel
            world.by_kernel.clear()
        return found

    # -- the move --------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """The vCPUs stay stopped. Unless the event sends memory: send all, let every vCPU run on, send what changed."""
        if self._sending is not None:
            return
        self._stream = Stream(self.guest)
        self._stream.send_everything()
        for cpu in self.records:
            self.enter_once(cpu)
        self._stream.send_dirty()

    def resume(self) -> None:
        """Read what a restore has put into KVM's registers; a vCPU runs when it is given a program."""
        if self._stream is not None:
            self._stream.stop()
            self._stream = self._sending = None
        self.held()

    def leave_host(self) -> None:
        """Send the last dirty pages and clear the entries of our own handlers; KVM's registers stay with the old VM."""
        if self._stream is None:
            self.pause()
        assert self._stream is not None
        covered = sorted(self.under)
        for gpa in covered:
            self._worlds[0].uncover(gpa)
        if self._sending is None:
            self._stream.send_dirty()
        else:
            self._stream.send_pages(covered)  # guest memory again, which a page of the host had hidden
        self.entries.clear()

    def arrive(self) -> None:
        """Open a VM with the same memslots, and write all pages into it; note what the old one has besides."""
        stream, self._stream, self._sending = self._stream, None, None
        assert stream is not None
        self._kvms.clear()
        self._refused.clear()
        record = self.records[0]
        cpuid = record.cpuid if record.enforce_cpuid else self.scenario.cpuid
        old, self.guest = self.guest, self._open(record, memslots_of(self.guest), cpuid)
        try:
            stream.arrive(self.guest)
            self._compare(old)
        finally:
            old.close()
        self.rounds = tuple(stream.rounds)

    def _compare(self, old: Guest) -> None:
        pages = (gpa for slot in memslots_of(old) for gpa in range(slot.gpa, slot.gpa + slot.size, PAGE))
        lost = list(self._lost(old, pages))
        self.lost_bytes += len(lost)
        self.lost_pages += pages_of(lost)
        self.lost_in = tuple(sorted({*self.lost_in, *names_at(self.scenario, lost)}))

    def _lost(self, old: Guest, pages: Iterable[int]) -> Iterable[int]:
        for gpa in pages:
            was, is_now = (guest.memory.read(gpa, PAGE) for guest in (old, self.guest))
            if was != is_now:
                yield from differing(gpa, was, is_now)
