"""The guest-physical addresses of a kernel's descriptors and areas: one block of pages for the VM, one per vCPU.

As in Linux, per-CPU areas lie in a per-CPU section that an encrypted guest can share page by page
(arch/x86/kernel/kvm.c, DEFINE_PER_CPU_DECRYPTED). Each kernel that runs in the same machine (after kexec)
is a *generation* with its own addresses; the pages of the previous generation may then be used for anything.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from workbench.core.contracts import Feature
from workbench.core.host_state import VM
from workbench.core.memory import PAGE_SIZE

#: RAM below 1 MiB is left to firmware and to tests; kernels use memory above it.
KERNEL_BASE = 0x10_0000

#: Where memory that belongs to the host begins: above every kernel.
HOST_BASE = 0x2000_0000

DESCRIPTOR = "descriptor"

#: The number of kernels that one scenario runs in the same machine, one after the other.
GENERATIONS = 2


class Unit(NamedTuple):
    """A piece of guest memory with one purpose: a feature's area or a vCPU's descriptor."""

    generation: int
    cpu: int
    what: str


class Region(NamedTuple):
    """A range of guest memory that a memslot backs: bytes [gpa, gpa+size)."""

    gpa: int
    size: int
    readonly: bool = False


class AddressMap:
    """The gpa of every unit, and the unit at every gpa; the same arguments give the same addresses."""

    def __init__(
        self, features: Sequence[Feature], vcpus: int, descriptor_size: int = 0, host_memory: int = 0
    ) -> None:
        """``host_memory``: bytes that belong to the host, for each vCPU and for the VM."""
        self.vcpus = vcpus
        self.host_block = -(-host_memory // PAGE_SIZE) * PAGE_SIZE
        self._offsets: dict[str, tuple[int, int]] = {}  # what -> (offset in the page, size)
        end = 0
        if descriptor_size:
            end = self._place(DESCRIPTOR, end, descriptor_size, 8)
        for feature in features:
            if feature.size:
                end = self._place(feature.name, end, feature.size, feature.align)
        self.block = max(-(-end // PAGE_SIZE), 1) * PAGE_SIZE
        self.memslot_size = (vcpus + 1) * self.block
        self._starts = [offset for offset, _ in self._offsets.values()]
        self._names = list(self._offsets)
        self._vm_scope = {feature.name for feature in features if feature.scope == "vm"}

    def _place(self, what: str, end: int, size: int, align: int) -> int:
        offset = -(-end // align) * align
        if size <= PAGE_SIZE and offset // PAGE_SIZE != (offset + size - 1) // PAGE_SIZE:
            offset = -(-offset // PAGE_SIZE) * PAGE_SIZE
        self._offsets[what] = (offset, size)
        return offset + size

    def memslot(self, generation: int) -> int:
        """Return the gpa at which the memslot of a kernel generation begins."""
        return KERNEL_BASE + generation * self.memslot_size

    def block_of(self, generation: int, cpu: int) -> int:
        """Return the gpa of the block of ``cpu`` (or of the VM) in this generation."""
        return self.memslot(generation) + (cpu + 1) * self.block

    def host_memory(self, cpu: int) -> int:
        """Return the gpa at which the host's memory for ``cpu`` (or for the VM) begins; 0 if there is none."""
        return HOST_BASE + (cpu + 1) * self.host_block if self.host_block else 0

    def belongs_to_host(self, gpa: int) -> bool:
        """Tell whether ``gpa`` is in memory that belongs to the host, and that no kernel gives away."""
        return HOST_BASE <= gpa < HOST_BASE + (self.vcpus + 1) * self.host_block

    def gpa(self, unit: Unit) -> int:
        """Return where ``unit`` begins."""
        return self.block_of(unit.generation, unit.cpu) + self._offsets[unit.what][0]

    def area(self, generation: int, cpu: int, feature: Feature) -> Unit:
        """Return the unit of ``feature`` for ``cpu``; a VM-wide feature has one unit for all vCPUs."""
        return Unit(generation, VM if feature.scope == "vm" else cpu, feature.name)

    def units(self, generation: int, cpu: int) -> tuple[Unit, ...]:
        """Return the units in the block of ``cpu`` (or of the VM)."""
        wide = cpu == VM
        return tuple(
            Unit(generation, cpu, what) for what in self._offsets if (what in self._vm_scope) == wide
        )

    def unit_at(self, gpa: int) -> Unit | None:
        """Return the unit that holds ``gpa``, or None if no unit does."""
        generation, rest = divmod(gpa - KERNEL_BASE, self.memslot_size)
        if generation < 0 or not self._starts:
            return None
        block, offset = divmod(rest, self.block)
        index = bisect_right(self._starts, offset) - 1
        if index < 0:
            return None
        what = self._names[index]
        start, size = self._offsets[what]
        if offset >= start + size or (what in self._vm_scope) != (block == 0):
            return None
        return Unit(generation, block - 1, what)

    def is_under(self, unit: Unit, pages: Iterable[int]) -> bool:
        """Tell whether one of these pages, each given by its gpa, has a byte of ``unit``."""
        gpa = self.gpa(unit)
        end = gpa + self.size(unit.what)
        return any(page < end and gpa < page + PAGE_SIZE for page in pages)

    def units_in(self, gpa: int, size: int) -> Iterator[Unit]:
        """Yield the units that have a byte in [gpa, gpa + size)."""
        first, last = ((at - KERNEL_BASE) // self.block for at in (gpa, gpa + size - 1))
        for number in range(max(first, 0), last + 1):
            generation, owner = divmod(number, self.vcpus + 1)
            for unit in self.units(generation, owner - 1):
                begin = self.gpa(unit)
                if begin < gpa + size and gpa < begin + self.size(unit.what):
                    yield unit

    def size(self, what: str) -> int:
        """Return the size in bytes of a unit called ``what``."""
        return self._offsets[what][1]
