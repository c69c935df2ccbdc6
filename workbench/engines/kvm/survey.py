"""What this KVM makes of register values, and when it writes payloads: looked at from outside, one fresh VM a case.

The rule kept here: "accepted" and "active" are two columns. A case is one value in one register of a guest with one
memslot; told is what the guest's WRMSR came to, what KVM_GET_MSRS reads afterwards, whether bytes of the area
changed, and whether the host may write the same value (KVM_SET_MSRS on another fresh VM).
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from workbench.core.outcome import Outcome
from workbench.engines.kvm.guest.guest import Guest

PAGE = 0x1000
RAM = 0x20_0000  #: bytes of the guest's one memslot, at gpa 0
AREA = 0x3000


class Register(NamedTuple):
    """A register that takes an address: its name, number, bits that enable it, bytes of its area."""

    name: str
    msr: int
    enable: int
    size: int


REGISTERS = (
    Register("SYSTEM_TIME_NEW", 0x4B564D01, 1, 32),
    Register("WALL_CLOCK_NEW", 0x4B564D00, 0, 12),
    Register("STEAL_TIME", 0x4B564D03, 1, 64),
    Register("PV_EOI_EN", 0x4B564D04, 1, 4),
    Register("ASYNC_PF_EN", 0x4B564D02, 1 | 1 << 3, 64),
)
#: Registers that take a value: name, number, values.
VALUES = (
    ("POLL_CONTROL", 0x4B564D05, (0, 1, 2)),
    ("ASYNC_PF_INT", 0x4B564D06, (0, 0xF3, 0x100)),
    ("ASYNC_PF_ACK", 0x4B564D07, (0, 1, (1 << 64) - 1)),
)


class Case(NamedTuple):
    """One value for one register; ``gpa`` and ``size`` say where a payload would appear (size 0: nowhere)."""

    register: str
    kind: str  #: what is special about the value
    msr: int
    value: int
    gpa: int
    size: int


class Verdict(NamedTuple):
    """What one case came to."""

    case: Case
    guest: Outcome
    reads: int  #: KVM_GET_MSRS after the guest's write
    written: bool  #: bytes of the area changed, at once or at the next entry
    host: bool  #: KVM_SET_MSRS takes the value


class Behaviour(NamedTuple):
    """When KVM writes the payload of one register, once it is enabled."""

    register: str
    at_once: bool  #: before the VMM entered the guest again
    next_entry: bool  #: by the next entry
    every_entry: bool  #: at each of three entries after that
    on_clock_change: bool  #: at the entry after KVM_SET_CLOCK


def cases() -> Iterator[Case]:
    """Yield every case, in a fixed order."""
    for name, msr, enable, size in REGISTERS:
        places = (
            ("aligned, not enabled", AREA, 0),
            ("aligned, enabled", AREA, enable),
            ("2 bytes off", AREA + 2, enable),
            ("across a page", AREA + PAGE - size // 2, enable),
            ("last bytes of the slot", RAM - size, enable),
            ("across the slot's end", RAM - size // 2, enable),
            ("in no slot", 1 << 32, enable),
        )
        yield Case(name, "zero", msr, 0, AREA, size)
        for kind, gpa, bits in places if enable else places[1:]:
            yield Case(name, kind, msr, gpa | bits, gpa, size)
        yield Case(name, "all ones", msr, (1 << 64) - 1, 0, 0)
    for name, msr, values in VALUES:
        for value in values:
            yield Case(name, f"{value:#x}", msr, value, 0, 0)


def verdict(case: Case) -> Verdict:
    """Try one case on two fresh VMs: the guest's write, and the host's."""
    with Guest(ram=((0, RAM),)) as guest:
        inside = min(max(RAM - case.gpa, 0), case.size)
        before = guest.memory.read(case.gpa, inside) if inside else b""
        outcome = guest.wrmsr(0, case.msr, case.value).outcome
        reads = guest.call(0, partial(guest.vcpu(0).get_msrs, [case.msr]))
        guest.nop(0)
        after = guest.memory.read(case.gpa, inside) if inside else b""
    with Guest(ram=((0, RAM),)) as guest:
        taken = guest.call(0, partial(guest.vcpu(0).set_msrs, {case.msr: case.value}))
    return Verdict(case, outcome, reads[0], before != after, taken == 1)


def verdicts() -> Iterator[Verdict]:
    """Try every case."""
    return map(verdict, cases())


def behaviour(register: Register) -> Behaviour:
    """Enable one register on a fresh VM and watch its area."""
    with Guest(ram=((0, RAM),)) as guest:
        look = partial(guest.memory.read, AREA, register.size)
        blank = look()
        guest.wrmsr(0, register.msr, AREA | register.enable)
        at_once = look()
        seen = [at_once]
        for _ in range(4):
            guest.nop(0)
            seen.append(look())
        guest.vm.set_clock(guest.vm.get_clock().clock)
        guest.nop(0)
        steady = [old != new for old, new in pairwise(seen[1:])]
        changed = look() != seen[-1]
    return Behaviour(register.name, at_once != blank, seen[1] != blank, all(steady), changed)


def behaviours() -> Iterator[Behaviour]:
    """Watch every register that takes an address."""
    return map(behaviour, REGISTERS)
