"""Guest-physical memory: memslots over sparse pages, dirty log, private pages.

There are two pairs of accessors: :meth:`GuestMemory.load` and :meth:`GuestMemory.store` are for the harness
and raise an error outside every memslot; :meth:`GuestMemory.peek` and :meth:`GuestMemory.poke`
are for programs and handlers, which get ``None`` or ``False`` and must choose an outcome.

Dirty log: as with KVM_GET_DIRTY_LOG (Linux Documentation/virt/kvm/api.rst section 4.8), reading returns the
pages written since the last reading and clears them. Writes of the guest and of KVM are logged; writes
of the VMM through its own mapping are not, but are recorded separately (:meth:`GuestMemory.vmm_dirty`).
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.core.pages import OFFSET_MASK, PAGE_SHIFT, PAGE_SIZE, Pages, among, pieces
from workbench.core.steps import GUEST, KERNEL, USER, Side
from workbench.errors import GuestMemoryError

__all__ = ["GPA_LIMIT", "OFFSET_MASK", "PAGE_SHIFT", "PAGE_SIZE", "GuestMemory", "Memslot"]

GPA_LIMIT = 1 << 64


@dataclass(slots=True)
class Memslot:
    """A range of gpa backed by memory: [gpa, gpa + size), in whole pages."""

    gpa: int
    size: int
    readonly: bool = False
    log_dirty: bool = True
    dirty: set[int] = field(default_factory=set)  # page frame numbers

    @property
    def end(self) -> int:
        """First gpa after the slot."""
        return self.gpa + self.size

    @property
    def frames(self) -> range:
        """Its page frame numbers."""
        return range(self.gpa >> PAGE_SHIFT, self.end >> PAGE_SHIFT)

    def __str__(self) -> str:
        return f"{self.gpa:#x}..{self.end:#x}" + (" (read-only)" if self.readonly else "")


class GuestMemory:
    """Byte-accurate guest memory made of memslots; pages exist once they are written.

    With ``encrypted``, every page is private until shared: the host can neither read nor write it.
    """

    def __init__(self, *, encrypted: bool = False) -> None:
        self.encrypted = encrypted
        self.generation = 0  # like KVM's memslot generation: counts every change of the layout
        self.on_change: Callable[[], None] | None = None  # called after every change of the layout
        self._slots: list[Memslot] = []
        self._starts: list[int] = []
        self.pages = Pages()
        self._shared: set[int] = set()
        self._vmm_dirty: set[int] = set()

    # -- memslots ---------------------------------------------------------------------------------

    @property
    def slots(self) -> tuple[Memslot, ...]:
        """The memslots in order of their gpa."""
        return tuple(self._slots)

    def add(self, gpa: int, size: int, *, readonly: bool = False, log_dirty: bool = True) -> Memslot:
        """Add a memslot of fresh zeroed memory; raise GuestMemoryError if it is not possible."""
        if gpa < 0 or size <= 0 or gpa & OFFSET_MASK or size & OFFSET_MASK or gpa + size > GPA_LIMIT:
            raise GuestMemoryError(
                f"memslot {gpa:#x} with {size:#x} bytes: address and size must be multiples of "
                f"{PAGE_SIZE:#x}, the size positive, the end below 2^64"
            )
        for slot in self._slots:
            if gpa < slot.end and slot.gpa < gpa + size:
                raise GuestMemoryError(f"memslot {gpa:#x}..{gpa + size:#x} overlaps memslot {slot}")
        slot = Memslot(gpa, size, readonly, log_dirty)
        self._insert(slot)
        return slot

    def delete(self, gpa: int) -> None:
        """Delete the memslot that begins at ``gpa``; its content is lost and its shared pages become private."""
        frames = self._remove(gpa).frames
        self._vmm_dirty -= among(frames, self._vmm_dirty)
        self._shared -= among(frames, self._shared)
        self.pages.drop(frames)

    def move(self, gpa: int, to: int) -> None:
        """Move the memslot at ``gpa`` to begin at ``to``, with its content and its logs.

        Its pages become private, because the guest shared the old addresses. Pages of the host that lie over it go.
        """
        slot = self._remove(gpa)
        try:
            moved = self.add(to, slot.size, readonly=slot.readonly, log_dirty=slot.log_dirty)
        except GuestMemoryError:
            self._insert(slot)
            raise
        shift = (to - gpa) >> PAGE_SHIFT
        self.pages.move(slot.frames, shift)
        moved.dirty = {frame + shift for frame in slot.dirty}
        by_vmm = among(slot.frames, self._vmm_dirty)
        self._vmm_dirty = (self._vmm_dirty - by_vmm) | {frame + shift for frame in by_vmm}
        self._shared -= among(slot.frames, self._shared)

    def set_readonly(self, gpa: int, readonly: bool) -> None:
        """Make the memslot that begins at ``gpa`` read-only, or writable again."""
        slot = self._slot_at(gpa)
        slot.readonly = readonly
        self._added_again(slot)

    def give_other_pages(self, gpa: int) -> None:
        """Give the memslot that begins at ``gpa`` other pages of the host, with the same content."""
        self._added_again(self._slot_at(gpa))

    def log_begins(self) -> None:
        """The VMM begins to log written pages: a flag of every memslot changes, and KVM installs all anew."""
        self._changed()

    def find(self, gpa: int) -> Memslot | None:
        """Return the memslot that holds ``gpa``, or None."""
        index = bisect_right(self._starts, gpa) - 1
        if index >= 0:
            slot = self._slots[index]
            if gpa < slot.gpa + slot.size:
                return slot
        return None

    # -- the harness's accesses: raise --------------------------------------------------------------

    def load(self, gpa: int, size: int) -> bytes:
        """Return ``size`` bytes at ``gpa``; raise GuestMemoryError outside every memslot."""
        self._require(gpa, size, "load")
        return self.pages.read(gpa, size)

    def store(self, gpa: int, data: bytes) -> None:
        """Write ``data`` at ``gpa`` as the guest would; raise GuestMemoryError if that is not possible."""
        self._require(gpa, len(data), "store")
        if not self.poke(gpa, data, GUEST):
            raise GuestMemoryError(f"store of {len(data)} bytes at gpa {gpa:#x}: the memslot is read-only")

    # -- programs' and handlers' accesses: answer ---------------------------------------------------

    def peek(self, gpa: int, size: int, side: Side = GUEST) -> bytes | None:
        """Return ``size`` bytes at ``gpa`` as ``side`` sees them, or None if it cannot read all of them."""
        if not (self._in_page(gpa, size, side) or self.reachable(gpa, size, side)):
            return None
        return self.pages.read(gpa, size)

    def poke(self, gpa: int, data: bytes, side: Side = GUEST, *, logged: bool = True) -> bool:
        """Write ``data`` at ``gpa`` for ``side``; return False, with nothing written, if it cannot.

        Unless ``logged``, no log shows the write.
        """
        size = len(data)
        slot = self._in_page(gpa, size, side)
        if slot is not None and not slot.readonly:
            offset = gpa & OFFSET_MASK
            self.pages.page(gpa >> PAGE_SHIFT)[offset : offset + size] = data
            if logged:
                self._mark(slot, gpa, side)
            return True
        if not self.reachable(gpa, size, side, write=True):
            return False
        self.pages.write(gpa, data)
        if logged:
            self.mark_dirty(gpa, size, side)
        return True

    def mark_dirty(self, gpa: int, size: int, side: Side) -> None:
        """Enter the pages of [gpa, gpa+size) in the log of ``side``; those in no memslot have none."""
        for at, _ in pieces(gpa, size):
            if (slot := self.find(at)) is not None:
                self._mark(slot, at, side)

    def reachable(self, gpa: int, size: int, side: Side, *, write: bool = False) -> bool:
        """Tell whether ``side`` can access all of [gpa, gpa + size) now."""
        end = gpa + max(size, 1)
        if gpa < 0 or size < 0 or end > GPA_LIMIT:
            return False
        at = gpa
        while at < end:
            slot = self.find(at)
            if slot is None or (write and slot.readonly and side is not USER):
                return False
            at = slot.gpa + slot.size
        if self.encrypted and side is not GUEST:
            frames = range(gpa >> PAGE_SHIFT, ((end - 1) >> PAGE_SHIFT) + 1)
            return all(frame in self._shared for frame in frames)
        return True

    # -- pages of the host over pages of the guest ----------------------------------------------------

    def cover(self, gpa: int, side: Side) -> bool:
        """Put a page of zeros over the page at ``gpa``; False if ``side`` cannot write there or it is covered."""
        frame = gpa >> PAGE_SHIFT
        if frame in self.pages.under or not self.reachable(gpa, PAGE_SIZE, side, write=True):
            return False
        self.pages.cover(frame)
        self._mark(self.find(gpa), gpa, side)
        return True

    def uncover(self, gpa: int) -> bool:
        """Take the host's page at ``gpa`` away; return False if there is none."""
        frame = gpa >> PAGE_SHIFT
        if frame not in self.pages.under:
            return False
        self.pages.uncover(frame)
        self._mark(self.find(gpa), gpa, KERNEL)
        return True

    def covered(self) -> list[int]:
        """Return the gpas of the pages over which a page of the host lies."""
        return [frame << PAGE_SHIFT for frame in sorted(self.pages.under)]

    def uncover_all(self) -> None:
        """Take all pages of the host away, as when the machine leaves it."""
        for gpa in self.covered():
            self.uncover(gpa)

    # -- page attributes and dirty log -------------------------------------------------------------

    def share(self, gpa: int, size: int, shared: bool) -> int:
        """Make the pages that [gpa, gpa + size) touches shared or private; return how many changed."""
        frames = set(range(gpa >> PAGE_SHIFT, ((gpa + max(size, 1) - 1) >> PAGE_SHIFT) + 1))
        changed = frames - self._shared if shared else frames & self._shared
        self._shared ^= changed
        return len(changed)

    @property
    def shared_pages(self) -> int:
        """How many pages an encrypted guest has shared with its host."""
        return len(self._shared)

    def dirty_log(self, gpa: int) -> list[int]:
        """Return and clear the gpas of the pages of the memslot at ``gpa`` written since the last call."""
        slot = self._slot_at(gpa)
        pages = sorted(frame << PAGE_SHIFT for frame in slot.dirty)
        slot.dirty.clear()
        return pages

    def vmm_dirty(self) -> list[int]:
        """Return and clear the gpas of the pages the VMM wrote through its own mapping (not in the log)."""
        pages = sorted(frame << PAGE_SHIFT for frame in self._vmm_dirty)
        self._vmm_dirty.clear()
        return pages

    # -- many pages at once, for engines that have checked where the pages are ---------------------------

    def open(self, frames: range) -> list[bytearray]:
        """Return the pages themselves; a caller that writes to them must :meth:`mark` them."""
        return [self.pages.page(frame) for frame in frames]

    def shared_among(self, frames: range) -> int:
        """Return how many of these pages are shared with the host."""
        return len(self._shared.intersection(frames))

    def mark(self, frames: range, side: Side) -> None:
        """Log pages, all of one memslot, as written by ``side``."""
        if side is USER:
            self._vmm_dirty.update(frames)
            return
        slot = self.find(frames[0] << PAGE_SHIFT)
        if slot is not None and slot.log_dirty:
            slot.dirty.update(frames)

    # -- inside ------------------------------------------------------------------------------------

    def _added_again(self, slot: Memslot) -> None:
        """A memslot was deleted and added again, because KVM changes neither flag nor address: its log is lost."""
        slot.dirty.clear()
        self._vmm_dirty -= among(slot.frames, self._vmm_dirty)
        self._changed()

    def _changed(self) -> None:
        self.generation += 1
        if self.on_change is not None:
            self.on_change()

    def _insert(self, slot: Memslot) -> None:
        index = bisect_right(self._starts, slot.gpa)
        self._slots.insert(index, slot)
        self._starts.insert(index, slot.gpa)
        self._changed()

    def _remove(self, gpa: int) -> Memslot:
        slot = self._slot_at(gpa)
        index = self._slots.index(slot)
        del self._slots[index], self._starts[index]
        self._changed()
        return slot

    def _slot_at(self, gpa: int) -> Memslot:
        for slot in self._slots:
            if slot.gpa == gpa:
                return slot
        raise GuestMemoryError(f"no memslot begins at gpa {gpa:#x}; memslots: {self._names()}")

    def _names(self) -> str:
        return ", ".join(map(str, self._slots)) or "none"

    def _require(self, gpa: int, size: int, verb: str) -> None:
        if not self.reachable(gpa, size, GUEST):
            raise GuestMemoryError(
                f"{verb} of {size} bytes at gpa {gpa:#x} is not inside guest memory; memslots: {self._names()}"
            )

    def _in_page(self, gpa: int, size: int, side: Side) -> Memslot | None:
        """Return the memslot of an access inside one page that ``side`` can read; None: use :meth:`reachable`."""
        if not 0 <= size <= PAGE_SIZE - (gpa & OFFSET_MASK) or (self.encrypted and side is not GUEST):
            return None
        return self.find(gpa)

    def _mark(self, slot: Memslot | None, gpa: int, side: Side) -> None:
        if side is USER:
            self._vmm_dirty.add(gpa >> PAGE_SHIFT)
        elif slot is not None and slot.log_dirty:
            slot.dirty.add(gpa >> PAGE_SHIFT)
