"""The RAM of a replay machine: adds and deletes zeroed memslots, and reuses them after a reset.

The rule kept here: adding or deleting a memslot waits for all readers of the VM's memory (SRCU), about a
millisecond; so slots from before a reset stay until the machine is used, and those requested again are
only zeroed. Neither guest nor replay can see this.
"""

from workbench.engines.kvm.api.ioctl import KvmError
from workbench.engines.kvm.api.memory import Backing, Memslot
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import EngineError, WorkbenchError

#: Memory of deleted memslots up to this size is reused; larger memory is returned to the host.
_SPARE_BYTES = 1 << 20


class ReplayRam:
    """The memslots of one guest, the engine's own left out."""

    def __init__(self, guest: Guest, *, log_dirty: bool) -> None:
        self._guest, self._log_dirty = guest, log_dirty
        self._spare: list[Backing] = []
        self._kept: dict[tuple[int, int], Memslot] = {}  #: from before a reset, by (gpa, size)

    @property
    def slots(self) -> list[Memslot]:
        """The memslots that exist now, by ascending gpa."""
        self.settle()
        return [slot for slot in self._guest.memory.slots if slot.slot != longmode.STUB_SLOT]

    def add(self, gpa: int, size: int) -> None:
        """Add a memslot of zeroed memory. Raises EngineError if it overlaps another, or the engine's own."""
        own_end = longmode.STUB_GPA + longmode.slot_size(self._guest.cpus)
        if gpa < own_end and gpa + size > longmode.STUB_GPA:
            raise EngineError(
                f"memslot {gpa:#x}..{gpa + size:#x} overlaps the engine's own memory, "
                f"{longmode.STUB_GPA:#x}..{own_end:#x}"
            )
        kept = self._kept.pop((gpa, size), None)
        if kept is not None:
            kept.backing.bytes[:] = bytes(size)
            return
        self.settle()
        try:
            self._guest.memory.add(gpa, size, backing=self._spare_of(size), log_dirty=self._log_dirty)
        except KvmError as error:
            raise EngineError(f"memslot {gpa:#x}..{gpa + size:#x}: {error}") from None

    def delete(self, gpa: int) -> None:
        """Delete the memslot that begins at ``gpa``; raise WorkbenchError if there is none."""
        found = next((slot for slot in self.slots if slot.gpa == gpa), None)
        if found is None:
            raise WorkbenchError(f"no memslot begins at gpa {gpa:#x}")
        self._delete(found)

    def delete_all(self) -> None:
        """Delete every memslot."""
        for slot in self.slots:
            self._delete(slot)

    def begin_again(self) -> None:
        """Start again without memslots; the old ones are kept for reuse until :meth:`settle`."""
        if self._log_dirty:
            self.dirty_pages()
        self._kept = {(slot.gpa, slot.size): slot for slot in self.slots}

    def settle(self) -> None:
        """Delete the memslots from before the reset that were not requested again."""
        while self._kept:
            self._delete(self._kept.popitem()[1])

    def dirty_pages(self) -> frozenset[int]:
        """Return the page frames (gpa >> 12) of present RAM that guest or KVM wrote since the last call."""
        memory = self._guest.memory
        return frozenset().union(*(memory.dirty(slot.slot).kvm for slot in self.slots))

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
