"""The RAM of a replay machine: adds and deletes zeroed memslots, and reuses them after a reset.

The rule kept here: adding or deleting a memslot waits for all readers of the VM's memory (SRCU), about a
millisecond; so slots from before a reset stay until the machine is used, and those requested again are
only zeroed. Neither guest nor replay can see this.
"""

from collections.abc import Iterator

from workbench.engines.kvm.api.ioctl import KvmError
from workbench.engines.kvm.api.memory import PAGE, READONLY, Backing, Memslot
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import EngineError, WorkbenchError

#: Memory of deleted memslots up to this size is reused; larger memory is returned to the host.
_SPARE_BYTES = 1 << 20
#: Bytes in which memory is searched for what is not zero.
_STRIDE = 1 << 20


class ReplayRam:
    """The memslots of one guest, the engine's own left out."""

    def __init__(self, guest: Guest, *, log_dirty: bool) -> None:
        self._guest, self._log_dirty = guest, log_dirty
        self._logs_always = log_dirty
        self._spare: list[Backing] = []
        self._kept: dict[tuple[int, int, bool], Memslot] = {}  #: from before a reset, as described

    @property
    def slots(self) -> list[Memslot]:
        """The memslots that exist now, by ascending gpa."""
        self.settle()
        return [slot for slot in self._guest.memory.slots if slot.slot != longmode.STUB_SLOT]

    def described(self) -> list[tuple[int, int, bool]]:
        """Return (gpa, size, read-only) of each memslot."""
        return [_described(slot) for slot in self.slots]

    def add(self, gpa: int, size: int, *, readonly: bool = False) -> None:
        """Add a memslot of zeroed memory. Raises EngineError if it overlaps another, or the engine's own."""
        own_end = longmode.STUB_GPA + longmode.slot_size(self._guest.cpus)
        if gpa < own_end and gpa + size > longmode.STUB_GPA:
            raise EngineError(
                f"memslot {gpa:#x}..{gpa + size:#x} overlaps the engine's own memory, "
                f"{longmode.STUB_GPA:#x}..{own_end:#x}"
            )
        kept = self._kept.pop((gpa, size, readonly), None)
        if kept is not None:
            kept.backing.bytes[:] = bytes(size)
            return
        self.settle()
        try:
            self._add(gpa, size, readonly, self._spare_of(size))
        except KvmError as error:
            raise EngineError(f"memslot {gpa:#x}..{gpa + size:#x}: {error}") from None

    def delete(self, gpa: int) -> None:
        """Delete the memslot that begins at ``gpa``; raise WorkbenchError if there is none."""
        self._delete(self._at(gpa))

    def protect(self, gpa: int, readonly: bool) -> None:
        """Make the memslot that begins at ``gpa`` read-only, or writable; raise WorkbenchError if there is none."""
        self._guest.memory.set_readonly(self._at(gpa).slot, readonly)

    def move(self, gpa: int) -> None:
        """Give the memslot that begins at ``gpa`` other pages of the host with the same content.

        KVM_SET_USER_MEMORY_REGION refuses another userspace_addr for a memslot that exists, so it is deleted first.
        """
        old = self._at(gpa)
        new = self._spare_of(old.size) or self._guest.memory.new_backing(old.size)
        new.bytes[:] = old.backing.bytes[: old.size]
        _, size, readonly = _described(old)
        self._delete(old)
        self._add(gpa, size, readonly, new)

    def begin_again(self) -> None:
        """Start again without memslots; the old ones are kept for reuse until :meth:`settle`."""
        self._log(self._logs_always)
        if self._log_dirty:
            self.dirty_pages()
        self._kept = {_described(slot): slot for slot in self.slots}

    def begin_log(self) -> None:
        """Log written pages from now on."""
        self._log(True)
        self.written()

    def _log(self, on: bool) -> None:
        if on is not self._log_dirty:
            self._log_dirty = on
            for slot in self.slots:
                self._guest.memory.log_dirty(slot.slot, on)

    def written(self) -> set[int]:
        """Return the page frames that guest, KVM or VMM wrote since the last call."""
        return set().union(*(self._guest.memory.dirty(slot.slot).all for slot in self.slots))

    def content(self) -> Iterator[tuple[int, bytes]]:
        """Yield the pages that are not zero, by frame number."""
        for slot in self.slots:
            for start in range(0, slot.size, _STRIDE):
                part = slot.backing.bytes[start : min(start + _STRIDE, slot.size)]
                if part.count(0) == len(part):
                    continue
                for at in range(0, len(part), PAGE):
                    page = part[at : at + PAGE]
                    if page.count(0) != PAGE:
                        yield (slot.gpa + start + at) // PAGE, page

    def settle(self) -> None:
        """Delete the memslots from before the reset that were not requested again."""
        while self._kept:
            self._delete(self._kept.popitem()[1])

    def dirty_pages(self) -> frozenset[int]:
        """Return the page frames (gpa >> 12) of present RAM that guest or KVM wrote since the last call."""
        memory = self._guest.memory
        return frozenset().union(*(memory.dirty(slot.slot).kvm for slot in self.slots))

    def _at(self, gpa: int) -> Memslot:
        found = next((slot for slot in self.slots if slot.gpa == gpa), None)
        if found is None:
            raise WorkbenchError(f"no memslot begins at gpa {gpa:#x}")
        return found

    def _add(self, gpa: int, size: int, readonly: bool, backing: Backing | None) -> None:
        self._guest.memory.add(gpa, size, readonly=readonly, backing=backing, log_dirty=self._log_dirty)

    def _delete(self, slot: Memslot) -> None:
        backing = self._guest.memory.delete(slot.slot)
        if backing.size <= _SPARE_BYTES:
            self._spare.append(backing)
        else:
            backing.close()

    def _spare_of(self, size: int) -> Backing | None:
        for spare in self._spare:
            if spare.size == size:
                self._spare.remove(spare)
                spare.bytes[:] = bytes(size)
                return spare
        return None


def _described(slot: Memslot) -> tuple[int, int, bool]:
    return slot.gpa, slot.size, bool(slot.flags & READONLY)
