"""Pre-copy migration: memory that is sent in rounds while the guest runs, and what of it never arrives.

All pages are sent once, then those that the dirty log names, again and again; the last time the vCPUs are stopped
(QEMU migration/ram.c, migration_bitmap_sync; Linux Documentation/virt/kvm/api.rst, KVM_GET_DIRTY_LOG). The destination
has each page as it was sent last. A log shows what was entered in it: nothing of a write through a mapping, and in
KVM's log nothing that the VMM writes. Bytes in which source and destination differ are writes that the migration lost.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from workbench.core.memory import GuestMemory
from workbench.core.pages import PAGE_SHIFT, PAGE_SIZE


class Sending(NamedTuple):
    """How memory is being sent: with the VMM's own log; the last log was read; the host has written meanwhile."""

    own_log: bool
    is_over: bool = False
    host_wrote: bool = False


class SentMemory:
    """The pages that a destination has, of ``memory``; making it begins the logs anew and sends everything."""

    def __init__(self, memory: GuestMemory, *, own_log: bool) -> None:
        self.own_log = own_log
        self.is_over = False
        self.host_wrote = False
        self._memory = memory
        self._read_logs()
        self._pages = {frame: self._page(frame) for frame in self._frames()}

    @property
    def sending(self) -> Sending:
        """What is known of it, as a value."""
        return Sending(self.own_log, self.is_over, self.host_wrote)

    def send_dirty(self, *, last: bool) -> None:
        """Read the logs and send the pages that they name; ``last``: they are not read again."""
        for frame in self._read_logs():
            self._pages[frame] = self._page(frame)
        self.is_over = last

    def arrive(self) -> list[int]:
        """Give the memory the content that the destination has; return the gpa of each byte that was another."""
        lost = [gpa for frame in sorted(self._frames()) for gpa in self._arrives(frame)]
        self._read_logs()
        return lost

    def _arrives(self, frame: int) -> Iterator[int]:
        sent, page = self._pages.get(frame, bytes(PAGE_SIZE)), self._page(frame)
        if sent != page:
            self._memory.pages.page(frame)[:] = sent
            yield from differing(frame << PAGE_SHIFT, sent, page)

    def _frames(self) -> set[int]:
        pages = self._memory.pages
        return {*pages.present, *pages.under}

    def _page(self, frame: int) -> bytes:
        """Return a page of the guest's own memory; a page of the host that lies over it is not sent."""
        pages = self._memory.pages
        return bytes((pages.under if frame in pages.under else pages.present).get(frame) or PAGE_SIZE)

    def _read_logs(self) -> set[int]:
        memory = self._memory
        by_vmm = memory.vmm_dirty()
        logged = {gpa for slot in memory.slots for gpa in memory.dirty_log(slot.gpa)}
        return {gpa >> PAGE_SHIFT for gpa in (*logged, *(by_vmm if self.own_log else ()))}


def pages_of(gpas: Iterable[int]) -> int:
    """Return how many pages these addresses lie in."""
    return len({gpa >> PAGE_SHIFT for gpa in gpas})


def differing(gpa: int, one: bytes, other: bytes) -> Iterator[int]:
    """Yield the gpa of each byte in which two contents of the same memory at ``gpa`` differ."""
    return (gpa + offset for offset, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
