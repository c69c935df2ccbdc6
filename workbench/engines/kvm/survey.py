"""Observes which register values this KVM accepts and when it writes payloads, on fresh VMs for each case.

The rule kept here: "accepted" and "active" are two columns. A case is one value in one register of a guest with one
memslot. Recorded are the outcome of the guest's WRMSR, the value that KVM_GET_MSRS reads afterwards, whether bytes of
the area changed, and whether the host may write the same value (KVM_SET_MSRS on another fresh VM).

How often KVM updates a payload is counted by its version, which each update raises by two. An *entry* of these
observations is a KVM_RUN that ends with an exit to the VMM: the vCPU is loaded for it, and put after it.
"""

import struct
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from workbench.core.kvm_registers import ASYNC_PF_ACK, ASYNC_PF_INT, KVM_REGISTERS, POLL_CONTROL, Register
from workbench.core.outcome import Outcome
from workbench.engines.kvm.guest.guest import Guest

PAGE = 0x1000
RAM = 0x20_0000  #: bytes of the guest's one memslot, at gpa 0
AREA = 0x3000


#: Registers that take an address.
REGISTERS = tuple(one for several in KVM_REGISTERS.values() for one in several[:1] if one.address)
#: Registers that take a value, with the values tried.
VALUES = (
    (POLL_CONTROL, (0, 1, 2)),
    (ASYNC_PF_INT, (0, 0xF3, 0x100)),
    (ASYNC_PF_ACK, (0, 1, (1 << 64) - 1)),
)


class Case(NamedTuple):
    """One value for one register; ``gpa`` and ``size`` say where a payload would appear (size 0: nowhere)."""

    register: str
    kind: str  #: how the value differs from an ordinary one
    msr: int
    value: int
    gpa: int
    size: int


class Verdict(NamedTuple):
    """The result of one case."""

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
    every_entry: bool  #: at each of three KVM_RUNs after that
    on_clock_change: bool  #: at the entry after KVM_SET_CLOCK


class UpdateCount(NamedTuple):
    """How often KVM updated the payload of one register, by the version in guest memory, while one vCPU ran."""

    register: str
    runs: int  #: KVM_RUNs, each ended by an exit to the VMM
    writes: int  #: WRMSRs of another register in each of them, all served by KVM: exits that the VMM does not see
    updates: int


#: (KVM_RUNs, WRMSRs in each) of an update count.
LOADS = ((64, 0), (1, 64), (1, 1024))


def cases() -> Iterator[Case]:
    """Yield every case, in a fixed order."""
    for register in REGISTERS:
        name, msr, enable, size = register.name, register.msr, register.enable, _size(register)
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
    for register, values in VALUES:
        for value in values:
            yield Case(register.name, f"{value:#x}", register.msr, value, 0, 0)


def _size(register: Register) -> int:
    """Return the bytes of an area: those the host accesses, or the distance to the next area if that is more."""
    return max(register.touches, register.granule)


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
        look = partial(guest.memory.read, AREA, _size(register))
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


def update_counts(register: Register, version_at: int) -> Iterator[UpdateCount]:
    """Count updates while a vCPU runs as LOADS says; ``version_at``: where in the payload the version is, in bytes.

    More updates than KVM_RUNs: the thread of the vCPU was preempted in one of them, and then loaded again.
    """
    with Guest(ram=((0, RAM),)) as guest:
        guest.wrmsr(0, register.msr, AREA | register.enable)
        guest.nop(0)  # the update that the write has requested

        def updates() -> int:
            return int(struct.unpack("<I", guest.memory.read(AREA + version_at, 4))[0]) // 2

        for runs, writes in LOADS:
            before = updates()
            for _ in range(runs):
                if writes:
                    guest.call(0, partial(guest.executor(0).wrmsr_loop, POLL_CONTROL.msr, POLL_CONTROL.initial, writes))
                else:
                    guest.nop(0)
            yield UpdateCount(register.name, runs, writes, updates() - before)


def behaviours() -> Iterator[Behaviour]:
    """Watch every register that takes an address."""
    return map(behaviour, REGISTERS)
