"""Scenarios: short runs of operations, each of which tests one property of the paravirtual registers.

A property here is one that a kernel once violated, or on which two descriptions of KVM disagree;
the list of bugs is in docs/fuzzing.md. ``anything`` is the only one that is purely random.
"""

from workbench.core.vcpu import KVM_SUPPORTED
from workbench.features.async_pf import TOKEN_OFFSET
from workbench.fuzz.palette import (
    APF_ACK,
    APF_EN,
    APF_INT,
    AREAS,
    BROUGHT,
    CLAIMED,
    CLOCK,
    CLOCKS,
    EOI,
    RAM_END,
    REGISTERS,
    SLOTS,
    STEAL,
    UNCLAIMED,
    WALL,
    WALLS,
    any_value,
    likely,
    pick,
)
from workbench.fuzz.script import Script

_EXCHANGE = 1 << 12  # flips between a page and its neighbour


def anything(script: Script) -> None:
    """A few random accesses of one vCPU, by the guest and by the host."""
    rng = script.rng
    if rng.random() < 0.4:
        script.other_cpu()
    for _ in range(4 + int(rng.random() * 10)):
        msr = pick(rng, UNCLAIMED) if rng.random() < 0.02 else pick(rng, REGISTERS)
        draw = rng.random()
        if draw < 0.42:
            script.add("wrmsr", cpu=script.cpu, msr=msr, value=any_value(rng, script.palette, msr))
        elif draw < 0.58:
            script.add("rdmsr", cpu=script.cpu, msr=msr)
        elif draw < 0.72:
            script.add("host_set_msr", cpu=script.cpu, msr=msr, value=any_value(rng, script.palette, msr))
        elif draw < 0.88:
            script.add("host_get_msr", cpu=script.cpu, msr=msr)
        elif draw < 0.93:
            script.run()
        else:
            _look_somewhere(script)


def burst_of_host_accesses(script: Script) -> None:
    """The VMM sets and reads several registers; the vCPU does not run."""
    rng = script.rng
    for _ in range(3 + int(rng.random() * 5)):
        msr = pick(rng, CLAIMED)
        if rng.random() < 0.5:
            script.add("host_set_msr", cpu=script.cpu, msr=msr, value=any_value(rng, script.palette, msr))
        else:
            script.add("host_get_msr", cpu=script.cpu, msr=msr)


def register_and_look(script: Script) -> None:
    """A payload arrives, again and again, at the address in the register."""
    msr = pick(script.rng, (CLOCK, STEAL, *WALLS, APF_EN, *BROUGHT))
    gpa = script.good()
    script.wrmsr(msr, likely(script.rng, msr, gpa))
    script.run()
    _look_at(script, gpa)
    script.run()
    _look_at(script, gpa)


def crossing(script: Script) -> None:
    """A clock moves to an area that crosses a page: the old area stays in use (virt/kvm/pfncache.c)."""
    gpa, edge = script.good(), pick(script.rng, (0x1FF0, 0x13FF0, 0x7FF0, 0x2FE2))
    script.wrmsr(pick(script.rng, CLOCKS), gpa | 1)
    script.run()
    for _ in range(2):
        script.wrmsr(pick(script.rng, CLOCKS), edge | 1)
        script.run()
        _look_at(script, gpa)
        script.look(edge, 16)
    if script.rng.random() < 0.5:
        script.wrmsr(CLOCK, 0)
        script.run()
        _look_at(script, gpa)


def second_name(script: Script) -> None:
    """A value written under one number of a clock is read under the other; for the wall clock by the other vCPU."""
    names = pick(script.rng, (CLOCKS, WALLS))
    for written, read in (names, names[::-1]):
        script.wrmsr(written, likely(script.rng, written, script.palette.address()))
        script.add("rdmsr", cpu=script.cpu, msr=read)
    script.other_cpu()
    script.add("host_get_msr", cpu=script.cpu, msr=names[0])


def memory_goes_and_returns(script: Script) -> None:
    """A memslot with registered areas is deleted and added with other memory; or one is added after registration."""
    gpa, size = pick(script.rng, SLOTS)
    for msr in (STEAL, CLOCK):
        script.wrmsr(msr, likely(script.rng, msr, gpa + 0x40 * int(script.rng.random() * 4)))
    script.run()
    _toggle(script, gpa, size)
    script.run()
    script.wrmsr(pick(script.rng, AREAS), gpa + 0x1000 | 1)
    _toggle(script, gpa, size)
    script.run()
    script.look(gpa, 0x200)


def same_place(script: Script) -> None:
    """Two features, or two vCPUs, at one address."""
    gpa = script.good()
    for _ in range(2):
        msr = pick(script.rng, AREAS)
        script.wrmsr(msr, likely(script.rng, msr, gpa))
        script.run()
        if script.rng.random() < 0.5:
            script.other_cpu()
    _look_at(script, gpa)


def init(script: Script) -> None:
    """INIT clears the registers that it must, and no others."""
    if not script.irqchip:
        return
    msr = pick(script.rng, AREAS)
    gpa = script.good()
    script.wrmsr(msr, likely(script.rng, msr, gpa))
    script.run()
    _look_at(script, gpa)
    script.add("init", cpu=script.cpu)
    for register in (msr, pick(script.rng, CLAIMED)):
        script.add("host_get_msr", cpu=script.cpu, msr=register)
    script.run()
    _look_at(script, gpa)
    script.run()
    _look_at(script, gpa)


def refused(script: Script) -> None:
    """A value is refused: what does the register hold then, and which area does the host still serve?"""
    rng = script.rng
    msr = pick(rng, (STEAL, EOI, APF_EN, APF_INT))
    gpa = script.good()
    script.wrmsr(msr, likely(rng, msr, gpa))
    wrong = {STEAL: gpa | 3, EOI: 0x9001, APF_EN: pick(rng, (0x9009, gpa | 0x19)), APF_INT: 0x1F3}[msr]
    script.wrmsr(msr, wrong)
    script.add("rdmsr", cpu=script.cpu, msr=msr)
    script.run()
    _look_at(script, gpa)


def refused_then_memslots_change(script: Script) -> None:
    """A refused address spoils KVM's cache; a change of the memslots brings the old area back (core.address_cache)."""
    rng = script.rng
    gpa = script.good()
    script.add("store", gpa=gpa + TOKEN_OFFSET, hex=b"\x05\0\0\0")
    script.wrmsr(APF_EN, gpa | 9)
    script.run()
    script.wrmsr(APF_EN, pick(rng, (0x9009, 0x80000009)))
    script.add("store", gpa=gpa + TOKEN_OFFSET, hex=bytes(4))
    if rng.random() < 0.7:
        script.add("wrmsr", cpu=script.cpu, msr=APF_ACK, value=1)
        script.look(gpa)
    if rng.random() < 0.3:
        script.wrmsr(APF_EN, pick(rng, (0, (gpa ^ _EXCHANGE) | 9)))
    _toggle(script, *pick(rng, SLOTS))
    script.add("wrmsr", cpu=script.cpu, msr=APF_ACK, value=1)
    script.run()
    script.look(gpa)


def wake_all(script: Script) -> None:
    """Enabling async page faults wakes all tasks, once, if the guest has taken the token before."""
    rng = script.rng
    gpa = script.good()
    if rng.random() < 0.5:
        script.add("store", gpa=gpa + TOKEN_OFFSET, hex=b"\x05\0\0\0")
    script.wrmsr(APF_EN, gpa | 9)
    script.run()
    script.look(gpa)
    if rng.random() < 0.7:
        script.add("store", gpa=gpa + TOKEN_OFFSET, hex=bytes(4))
    if rng.random() < 0.3:
        script.wrmsr(APF_EN, pick(rng, (0, gpa | 1, (gpa ^ _EXCHANGE) | 9)))
    script.add("wrmsr", cpu=script.cpu, msr=APF_ACK, value=1)
    script.look(gpa)


def stamp(script: Script) -> None:
    """The guest fills an area with a pattern: other bytes must stay unchanged, odd versions become even."""
    gpa = script.good()
    script.add("store", gpa=gpa, hex=bytes([pick(script.rng, (0xA5, 0x5A, 0xFF, 0x00))]) * 64)
    msr = pick(script.rng, (CLOCK, WALL, STEAL))
    script.wrmsr(msr, likely(script.rng, msr, gpa + pick(script.rng, (0, 0, 16))))
    script.run()
    _look_at(script, gpa)


def enforcement(script: Script) -> None:
    """From now on CPUID bits decide which registers exist, or they no longer do."""
    if script.offer[script.cpu] == KVM_SUPPORTED and script.rng.random() < 0.7:
        return
    script.enforce(script.rng.random() < 0.6)
    for _ in range(3):
        msr = pick(script.rng, CLAIMED)
        script.add("rdmsr", cpu=script.cpu, msr=msr)
        script.add("host_set_msr", cpu=script.cpu, msr=msr, value=any_value(script.rng, script.palette, msr))
        script.add("host_get_msr", cpu=script.cpu, msr=msr)


def stopped(script: Script) -> None:
    """The VMM says that the guest was stopped: with a clock, without one, and before the next update."""
    gpa = script.good()
    script.wrmsr(pick(script.rng, CLOCKS), likely(script.rng, CLOCK, gpa))
    script.add("kvmclock_ctrl", cpu=script.cpu)
    if script.rng.random() < 0.5:
        script.wrmsr(CLOCK, pick(script.rng, (0, gpa | 1)))
        script.add("kvmclock_ctrl", cpu=script.cpu)
    script.run()
    _look_at(script, gpa)


def migration(script: Script) -> None:
    """The machine migrates: which register values arrive, and which payloads are still written?"""
    if script.rng.random() < 0.4:
        return
    gpa = script.good()
    msr = pick(script.rng, AREAS)
    script.wrmsr(msr, likely(script.rng, msr, gpa))
    script.add("migrate")
    for register in CLAIMED:
        script.add("host_get_msr", cpu=script.cpu, msr=register)
    script.run()
    _look_at(script, gpa)


def _toggle(script: Script, gpa: int, size: int) -> None:
    if gpa in script.slots:
        script.slots.remove(gpa)
        script.add("unplug", gpa=gpa)
    else:
        script.slots.add(gpa)
        script.add("ram", gpa=gpa, size=size)


def _look_at(script: Script, gpa: int) -> None:
    script.look(gpa, 64)


def _look_somewhere(script: Script) -> None:
    """Load from, or rarely store to, an address of the palette."""
    gpa = min(script.palette.address(), RAM_END)
    if script.rng.random() < 0.8:
        script.look(gpa, 64)
    else:
        script.add("store", gpa=gpa, hex=bytes([pick(script.rng, (0, 1, 0x80, 0xFF))]) * pick(script.rng, (1, 4, 16)))
