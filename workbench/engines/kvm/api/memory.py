"""Guest memory under KVM: memslots over anonymous mappings of this process.

The rule kept here: the host reaches guest memory only through a memslot (a gpa in no slot raises
GuestMemoryError), and every write through our own mapping is recorded, because KVM's dirty log does
not contain it (KVM_GET_DIRTY_LOG covers the guest's stores and KVM's own writes only).
Source: Documentation/virt/kvm/api.rst, 4.35 KVM_SET_USER_MEMORY_REGION, 4.8 KVM_GET_DIRTY_LOG.
"""

import ctypes
import mmap
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from workbench.engines.kvm.api.ioctl import (
    KVM_CLEAR_DIRTY_LOG,
    KVM_GET_DIRTY_LOG,
    KVM_SET_USER_MEMORY_REGION,
    call,
)
from workbench.errors import GuestMemoryError, WorkbenchError

PAGE = 4096
LOG_DIRTY_PAGES, READONLY = 1, 2
_MAP_NORESERVE = 0x4000  # <asm-generic/mman.h>; the mmap module does not name it


class Backing:
    """Anonymous memory of this process, zeroed; may back a memslot now or later, or none."""

    def __init__(self, size: int) -> None:
        """Map ``size`` bytes, a positive multiple of 4096."""
        if size <= 0 or size % PAGE:
            raise WorkbenchError(f"guest memory of {size:#x} bytes: must be a positive multiple of {PAGE:#x}")
        self.size = size
        self.bytes = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
        self._pin: ctypes.c_char | None = ctypes.c_char.from_buffer(self.bytes)
        self.address = ctypes.addressof(self._pin)

    def close(self) -> None:
        """Unmap. Only after the VM that uses it is gone, or its slot deleted."""
        self._pin = None
        self.bytes.close()


@dataclass(frozen=True, slots=True)
class Memslot:
    """[gpa, gpa+size) backed by the first ``size`` bytes of ``backing``."""

    slot: int
    gpa: int
    size: int
    flags: int
    backing: Backing

    @property
    def end(self) -> int:
        """The first gpa after the slot."""
        return self.gpa + self.size

    def __str__(self) -> str:
        return f"slot {self.slot} [{self.gpa:#x}, {self.end:#x})"


@dataclass(frozen=True, slots=True)
class DirtyPages:
    """Page frame numbers (gpa >> 12) written since the last query, by who recorded the write."""

    kvm: frozenset[int]  #: the guest's stores and KVM's own payload writes
    host: frozenset[int]  #: writes through our mapping, which KVM's log does not show

    @property
    def all(self) -> frozenset[int]:
        """All dirty pages: those that a migration must copy."""
        return self.kvm | self.host


def _set_bits(bitmap: bytearray) -> Iterator[int]:
    for base, (word,) in enumerate(struct.iter_unpack("<Q", bitmap)):
        while word:
            lowest = word & -word
            yield base * 64 + lowest.bit_length() - 1
            word ^= lowest


class GuestMemory:
    """The memslots of one VM."""

    def __init__(self, vm_fd: int, *, manual_clear: bool = False) -> None:
        self._fd = vm_fd
        self._manual_clear = manual_clear
        self._slots: tuple[Memslot, ...] = ()  # replaced as a whole: vCPU threads read it meanwhile
        self._backings: list[Backing] = []
        self._host_dirty: dict[int, set[int]] = {}
        self._host_lock = threading.Lock()

    @property
    def slots(self) -> tuple[Memslot, ...]:
        """The memslots that exist now, by ascending gpa."""
        return self._slots

    # -- memslots ------------------------------------------------------------------------------------

    def add(
        self,
        gpa: int,
        size: int,
        *,
        slot: int | None = None,
        readonly: bool = False,
        log_dirty: bool = False,
        backing: Backing | None = None,
    ) -> Memslot:
        """Add a memslot of ``size`` bytes at ``gpa`` (both multiples of 4096) and return it.

        Without ``backing``, fresh zeroed memory; the Backing of a deleted slot brings its content back.
        Raises WorkbenchError for a bad range, KvmError if KVM refuses (EEXIST: it overlaps a slot).
        """
        if gpa % PAGE or gpa < 0:
            raise WorkbenchError(f"memslot at {gpa:#x}: the gpa must be a multiple of {PAGE:#x}")
        if backing is not None and backing.size < size:
            raise WorkbenchError(f"memslot of {size:#x} bytes: its backing has only {backing.size:#x}")
        if slot is None:
            slot = next(n for n in range(len(self._slots) + 1) if all(s.slot != n for s in self._slots))
        elif any(s.slot == slot for s in self._slots):
            raise WorkbenchError(f"memslot {slot} exists; delete it first")
        flags = (READONLY if readonly else 0) | (LOG_DIRTY_PAGES if log_dirty else 0)
        made = Memslot(slot, gpa, size, flags, backing or self.new_backing(size))
        self._tell_kvm(made, size)
        self._replace(slot, made)
        return made

    def delete(self, slot: int) -> Backing:
        """Delete a memslot, its dirty logs too; return its Backing, content untouched, for a later :meth:`add`."""
        old = self.slot(slot)
        self._tell_kvm(old, 0)
        self._replace(slot, None)
        with self._host_lock:  # another memslot may get its number
            self._host_dirty.pop(slot, None)
        return old.backing

    def move(self, slot: int, gpa: int) -> Memslot:
        """Move a memslot with its content to another gpa; return the slot as it is now."""
        return self._change(replace(self.slot(slot), gpa=gpa))

    def set_readonly(self, slot: int, readonly: bool) -> Memslot:
        """Make a slot read-only or writable. KVM cannot change that flag: the slot is deleted and added again."""
        old = self.slot(slot)
        flags = old.flags & ~READONLY | (READONLY if readonly else 0)
        self._tell_kvm(old, 0)
        return self._change(replace(old, flags=flags))

    def log_dirty(self, slot: int, on: bool) -> Memslot:
        """Start or stop dirty logging of a slot, of both kinds (see :class:`DirtyPages`)."""
        old = self.slot(slot)
        with self._host_lock:
            self._host_dirty.pop(slot, None)
        flags = old.flags & ~LOG_DIRTY_PAGES | (LOG_DIRTY_PAGES if on else 0)
        return self._change(replace(old, flags=flags))

    def slot(self, slot: int) -> Memslot:
        """Return memslot number ``slot``; WorkbenchError if there is none."""
        for candidate in self._slots:
            if candidate.slot == slot:
                return candidate
        raise WorkbenchError(f"memslot {slot} does not exist; there are: {self._listing()}")

    # -- dirty log -----------------------------------------------------------------------------------

    def dirty(self, slot: int) -> DirtyPages:
        """Return the pages of a logged slot written since the last call, and clear the log.

        With ``manual_clear`` KVM's part stays set until :meth:`clear_dirty`.
        """
        target = self.slot(slot)
        pages = target.size // PAGE
        bitmap = bytearray((pages + 63) // 64 * 8)
        view = (ctypes.c_char * len(bitmap)).from_buffer(bitmap)
        call(self._fd, KVM_GET_DIRTY_LOG, bytearray(struct.pack("<IIQ", slot, 0, ctypes.addressof(view))))
        del view
        first = target.gpa // PAGE
        with self._host_lock:
            host = self._host_dirty.pop(slot, set())
        return DirtyPages(
            frozenset(first + page for page in _set_bits(bitmap)), frozenset(first + page for page in host)
        )

    def clear_dirty(self, slot: int, first: int = 0, pages: int | None = None) -> None:
        """Clear KVM's dirty bits of ``pages`` pages from page ``first`` of the slot (multiples of 64).

        For a VM made with ``manual_clear``; without it, :meth:`dirty` clears them.
        """
        count = self.slot(slot).size // PAGE - first if pages is None else pages
        ones = bytearray(b"\xff" * ((count + 63) // 64 * 8))
        view = (ctypes.c_char * len(ones)).from_buffer(ones)
        request = struct.pack("<IIQQ", slot, count, first, ctypes.addressof(view))
        call(self._fd, KVM_CLEAR_DIRTY_LOG, bytearray(request))
        del view

    # -- the host's own accesses ---------------------------------------------------------------------

    def read(self, gpa: int, size: int) -> bytes:
        """Return ``size`` bytes at ``gpa``; GuestMemoryError unless slots back all of them."""
        found = self._find(gpa)
        start = gpa - found.gpa
        if gpa + size <= found.end:
            return found.backing.bytes[start : start + size]
        here = found.end - gpa
        return found.backing.bytes[start : start + here] + self.read(found.end, size - here)

    def write(self, gpa: int, data: bytes, *, through_readonly: bool = False, logged: bool = True) -> None:
        """Write ``data`` at ``gpa``; GuestMemoryError, and no write, unless writable slots back it all.

        ``through_readonly``: write read-only slots as well, as a VMM does to load a ROM. Unless ``logged``, our own
        record of dirty pages does not show the write.
        """
        end = gpa + len(data)
        parts = []
        at = gpa
        while at < end:
            found = self._find(at)
            if found.flags & READONLY and not through_readonly:
                raise GuestMemoryError(f"write of {len(data)} bytes at {gpa:#x}: {found} is read-only")
            parts.append((found, at, min(end, found.end)))
            at = found.end
        for found, low, high in parts:
            found.backing.bytes[low - found.gpa : high - found.gpa] = data[low - gpa : high - gpa]
        if logged:
            self.mark_dirty(gpa, len(data))

    def mark_dirty(self, gpa: int, size: int) -> None:
        """Enter pages in our own record of dirty pages; those of slots that are not logged are left out."""
        for found in self._slots:
            low, high = max(gpa, found.gpa), min(gpa + size, found.end)
            if low < high and found.flags & LOG_DIRTY_PAGES:
                touched = range((low - found.gpa) // PAGE, (high - 1 - found.gpa) // PAGE + 1)
                with self._host_lock:
                    self._host_dirty.setdefault(found.slot, set()).update(touched)

    def backed(self, gpa: int, size: int, *, writable: bool = True) -> bool:
        """Tell whether slots (writable ones) back all of [gpa, gpa+size)."""
        end = gpa + size
        while gpa < end:
            found = next((s for s in self._slots if s.gpa <= gpa < s.end), None)
            if found is None or (writable and found.flags & READONLY):
                return False
            gpa = found.end
        return True

    def new_backing(self, size: int) -> Backing:
        """Return memory for a memslot, which :meth:`close` unmaps."""
        made = Backing(size)
        self._backings.append(made)
        return made

    def close(self) -> None:
        """Unmap everything this object mapped; after the VM's descriptors are closed."""
        self._slots = ()
        while self._backings:
            self._backings.pop().close()

    # -- inside --------------------------------------------------------------------------------------

    def _find(self, gpa: int) -> Memslot:
        for candidate in self._slots:
            if candidate.gpa <= gpa < candidate.end:
                return candidate
        raise GuestMemoryError(f"gpa {gpa:#x} is in no memslot; there are: {self._listing()}")

    def _change(self, changed: Memslot) -> Memslot:
        self._tell_kvm(changed, changed.size)
        self._replace(changed.slot, changed)
        return changed

    def _replace(self, slot: int, changed: Memslot | None) -> None:
        rest = [s for s in self._slots if s.slot != slot]
        self._slots = tuple(sorted(rest + ([changed] if changed else []), key=lambda s: s.gpa))

    def _tell_kvm(self, slot: Memslot, size: int) -> None:
        region = struct.pack("<IIQQQ", slot.slot, slot.flags, slot.gpa, size, slot.backing.address)
        call(self._fd, KVM_SET_USER_MEMORY_REGION, bytearray(region))

    def _listing(self) -> str:
        return ", ".join(map(str, self._slots)) or "none"
