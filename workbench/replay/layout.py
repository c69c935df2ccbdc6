"""The vCPUs and memslots that a machine has at each line of a replay file, so that a file is checked before it runs."""

from workbench.core.memory import GuestMemory
from workbench.replay.values import NotAllowedError

#: The most RAM that a machine may have at one time, in bytes and memslots, and where RAM must end: hosts lay out
#: tables for every page of a memslot, and x86-64 physical addresses have at most 52 bits (Intel SDM, MAXPHYADDR).
RAM_LIMIT, SLOT_LIMIT, GPA_END = 16 << 30, 256, 1 << 52


class Layout:
    """A machine's vCPUs and memslots; the errors of ``memory`` are the core's own."""

    def __init__(self, vcpus: int = 1) -> None:
        self.vcpus = vcpus
        self.memory = GuestMemory()

    def begin(self, vcpus: int) -> None:
        """A new machine begins."""
        self.vcpus, self.memory = vcpus, GuestMemory()

    def add(self, gpa: int, size: int) -> None:
        """Add a memslot; raise NotAllowedError or GuestMemoryError if it is not possible."""
        slots = self.memory.slots
        if gpa + size > GPA_END:
            raise NotAllowedError(f"it ends at {gpa + size:#x}; allowed: RAM below {GPA_END:#x}")
        if sum(slot.size for slot in slots) + size > RAM_LIMIT:
            raise NotAllowedError(f"{size:#x} bytes are too many; allowed: {RAM_LIMIT:#x} bytes in all memslots")
        if len(slots) == SLOT_LIMIT:
            raise NotAllowedError(f"one memslot too many; allowed: {SLOT_LIMIT} at a time")
        self.memory.add(gpa, size)

    def check_cpu(self, cpu: int) -> None:
        """Raise NotAllowedError if the machine has no such vCPU."""
        if cpu >= self.vcpus:
            last = f"0 to {self.vcpus - 1}" if self.vcpus > 1 else "0 alone"
            raise NotAllowedError(f"vCPU {cpu} does not exist; this machine has {last}")
