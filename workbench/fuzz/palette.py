"""The memslots, addresses and register values from which sequences are generated.

The rule kept here: everything is drawn from the ``random.Random`` that is passed in, so that the same seed gives
the same bytes. Addresses are few, so that areas often overlap; most lie where a rule of KVM changes (end of a page,
end of a memslot, two adjoining memslots, no memslot, beyond the physical range, wrapping around 2^64).
The registers and the meaning of their bits are taken from the features.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from workbench.core.kvm_registers import (
    ASYNC_PF_ACK,
    ASYNC_PF_EN,
    ASYNC_PF_INT,
    MIGRATION_CONTROL,
    POLL_CONTROL,
    PV_EOI_EN,
    STEAL_TIME,
    SYSTEM_TIME,
    SYSTEM_TIME_NEW,
    WALL_CLOCK,
    WALL_CLOCK_NEW,
    Register,
)
from workbench.features import FEATURES

T = TypeVar("T")

#: (gpa, size) in bytes. The second and the third adjoin; the rest of the address space is empty.
SLOTS = ((0x0, 0x8000), (0x10000, 0x4000), (0x14000, 0x4000))
#: Loads and stores of the fuzzer stay below this; it is the end of the last memslot.
RAM_END = 0x18000

OLD_WALL, OLD_CLOCK, WALL, CLOCK = WALL_CLOCK.msr, SYSTEM_TIME.msr, WALL_CLOCK_NEW.msr, SYSTEM_TIME_NEW.msr
APF_EN, STEAL, EOI = ASYNC_PF_EN.msr, STEAL_TIME.msr, PV_EOI_EN.msr
POLL, APF_INT, APF_ACK = POLL_CONTROL.msr, ASYNC_PF_INT.msr, ASYNC_PF_ACK.msr
CLOCKS, WALLS = (CLOCK, OLD_CLOCK), (WALL, OLD_WALL)

#: The registers of all features, by number; their second numbers included.
_KERNELS = [feature for feature in FEATURES.values() if feature.served_by == "kernel"]
REGISTER: dict[int, Register] = {one.msr: one for feature in _KERNELS for one in feature.registers}
#: The registers, with an address, of features that KVM does not have.
BROUGHT = tuple(
    feature.registers[0].msr for feature in _KERNELS if feature.brings_register and feature.registers[0].address
)
#: The registers with two numbers come first.
CLAIMED = (*CLOCKS, *WALLS, *sorted(set(REGISTER) - {*CLOCKS, *WALLS}))
#: Registers of no feature: MIGRATION_CONTROL, two never assigned, and one that newer kernels use internally.
UNCLAIMED = tuple(
    msr for msr in (MIGRATION_CONTROL.msr, 0x4B564D09, 0x4B564D20, 0x4B564DFE, 0x4B564DFF) if msr not in REGISTER
)
#: Registers from which scenarios about an arbitrary area choose.
AREAS = (CLOCK, WALL, STEAL, EOI, APF_EN, *BROUGHT)
#: Registers for random operations; those whose address can be enabled are repeated, so that they are drawn more often.
REGISTERS = (*CLAIMED, *(msr for often in (CLOCK, STEAL, APF_EN, EOI, *BROUGHT) for msr in (often, often)))
#: Bits of CPUID 0x40000001 EAX that enable a register or one of its bits.
GATING_BITS = tuple(sorted({bit for one in REGISTER.values() for bit in one.cpuid_bits}))
#: Control bits tried together with an address, for registers that have more than an enable bit.
_CONTROLS = {APF_EN: (9, 9, 9, 0xB, 0xD, 1, 8)}
#: Values tried for registers without an address.
_VALUES = {POLL: (0, 1), APF_INT: (0xF3, 0x20, 0xFF, 0), APF_ACK: (1, 1, 0, 3)}

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
    """Return one of ``among``; faster than Random.choice, which matters in a fuzzer."""
    return among[int(rng.random() * len(among))]


class Palette:
    """The addresses of one sequence: few, so that registrations often overlap, move and return."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.good = [pick(rng, _PAGES) + pick(rng, _OFFSETS) for _ in range(5)]
        self.edges = [pick(rng, _EDGES) for _ in range(3)]
        self.nowhere = [pick(rng, _NOWHERE) for _ in range(2)]

    def address(self) -> int:
        """Return an address: mostly valid ones, some on a boundary, some without memory."""
        draw = self._rng.random()
        return pick(self._rng, self.good if draw < 0.6 else self.edges if draw < 0.85 else self.nowhere)


def likely(rng: Random, msr: int, gpa: int) -> int:
    """Return a value that registers ``gpa`` in ``msr``, or a usual one if ``msr`` takes no address."""
    register = REGISTER.get(msr)
    if register is None:
        return gpa
    if not register.address:
        return pick(rng, _VALUES.get(msr, (0, 1)))
    controls = _CONTROLS.get(msr)
    return gpa & -register.granule | (pick(rng, controls) if controls else register.enable)


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
