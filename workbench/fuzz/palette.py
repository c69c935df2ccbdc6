"""The ground a sequence plays on: memslots, addresses worth trying, and values of each paravirtual register.

The rule kept here: everything is drawn from the ``random.Random`` that is passed in, so that the same seed gives
the same bytes. Addresses are few and meet each other often; most lie where a rule of KVM changes (end of a page,
end of a memslot, two adjoining memslots, no memslot, beyond the physical range, wrapping around 2^64).
Source of the bits: Linux Documentation/virt/kvm/x86/msr.rst.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

#: (gpa, size) in bytes. The second and the third adjoin; the rest of the address space is empty.
SLOTS = ((0x0, 0x8000), (0x10000, 0x4000), (0x14000, 0x4000))
#: Loads and stores of the fuzzer stay below this; it is the end of the last memslot.
RAM_END = 0x18000

OLD_WALL, OLD_CLOCK, WALL, CLOCK = 0x11, 0x12, 0x4B564D00, 0x4B564D01
APF_EN, STEAL, EOI, POLL, APF_INT, APF_ACK = range(0x4B564D02, 0x4B564D08)
#: Nobody's: MIGRATION_CONTROL, two that were never assigned, and the last one, which newer kernels use inside.
UNCLAIMED = (0x4B564D08, 0x4B564D09, 0x4B564D20, 0x4B564DFE, 0x4B564DFF)
CLOCKS, WALLS = (CLOCK, OLD_CLOCK), (WALL, OLD_WALL)
CLAIMED = (*CLOCKS, *WALLS, APF_EN, STEAL, EOI, POLL, APF_INT, APF_ACK)
#: What a random operation draws from: registers with an address more often than those without.
REGISTERS = (*CLAIMED, CLOCK, CLOCK, STEAL, STEAL, APF_EN, APF_EN, EOI, EOI)
#: Bits of CPUID 0x40000001 EAX that decide about a register or one of its bits.
GATING_BITS = (0, 3, 4, 5, 6, 10, 12, 14)

ONES = (1 << 64) - 1
_PAGES = tuple(page for gpa, size in SLOTS for page in range(gpa, gpa + size, 0x1000))
_OFFSETS = (0x0, 0x40, 0x80, 0x140, 0x7C0, 0xFC0)
_EDGES = (
    *(page + offset for page in (0x1000, 0x7000, 0x13000, 0x17000) for offset in (0xFE0, 0xFF0, 0xFF4, 0xFF8, 0xFFC)),
    *(page + offset for page in (0x2000, 0x14000) for offset in (0x2, 0x4, 0xA, 0x22, 0xFE2, 0xFFE)),
)
_NOWHERE = (
    *(0x8000, 0x9040, 0xFFC0, 0x18000, 0x80000000, 1 << 40, (1 << 52) - 64, 1 << 52, 1 << 63),
    *(ONES - 63, ONES - 31, ONES - 15),
)


def pick(rng: Random, among: Sequence[T]) -> T:
    """Return one of ``among``; a little faster than Random.choice, which a fuzzer feels."""
    return among[int(rng.random() * len(among))]


class Palette:
    """The addresses of one sequence: few enough that registrations meet, move and come back."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.good = [pick(rng, _PAGES) + pick(rng, _OFFSETS) for _ in range(5)]
        self.edges = [pick(rng, _EDGES) for _ in range(3)]
        self.nowhere = [pick(rng, _NOWHERE) for _ in range(2)]

    def address(self) -> int:
        """Return an address: mostly good ones, some on an edge, some backed by nothing."""
        draw = self._rng.random()
        return pick(self._rng, self.good if draw < 0.6 else self.edges if draw < 0.85 else self.nowhere)


def likely(rng: Random, msr: int, gpa: int) -> int:
    """Return a value with which a guest would register ``gpa`` in ``msr``, or what else that register is for."""
    return _LIKELY.get(msr, _any_address)(rng, gpa)


def any_value(rng: Random, palette: Palette, msr: int) -> int:
    """Return a value for ``msr``: a likely one, one with other low bits, or an extreme one."""
    draw = rng.random()
    if draw < 0.6:
        return likely(rng, msr, palette.address())
    if draw < 0.72:
        return 0
    if draw < 0.92:
        return palette.address() | pick(rng, (1, 2, 3, 4, 5, 8, 9, 0xB, 0xD, 0xF, 0x10, 0x19, 0x20, 0x3F))
    return pick(rng, (1, 2, 0x100, 1 << 8 | 0xF3, 1 << 63, 1 << 63 | 1, ONES, ONES - 1, rng.getrandbits(64)))


def _any_address(rng: Random, gpa: int) -> int:
    return gpa


_LIKELY: dict[int, Callable[[Random, int], int]] = {
    CLOCK: lambda rng, gpa: gpa | 1,
    OLD_CLOCK: lambda rng, gpa: gpa | 1,
    STEAL: lambda rng, gpa: gpa & ~0x3F | 1,
    EOI: lambda rng, gpa: gpa & ~3 | 1,
    APF_EN: lambda rng, gpa: gpa & ~0x3F | pick(rng, (9, 9, 9, 0xB, 0xD, 1, 8)),
    POLL: lambda rng, gpa: int(rng.random() * 2),
    APF_INT: lambda rng, gpa: pick(rng, (0xF3, 0x20, 0xFF, 0)),
    APF_ACK: lambda rng, gpa: pick(rng, (1, 1, 0, 3)),
}
