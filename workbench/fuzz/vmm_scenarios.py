"""Scenarios of a VMM: clocks set, lists of registers, memslots that change, filters, resets, migrations of its own.

Each tests one property, as those in ``scenarios`` do. KVM's own hypercalls are left out: on kvm_pvm VMCALL never ends.
"""

from typing import Any

from workbench.core.vmm import STOPS_SHORT, VMMS
from workbench.fuzz.palette import (
    APF_EN,
    AREAS,
    CLAIMED,
    CLOCK,
    CLOCKS,
    EOI,
    SLOTS,
    STEAL,
    WALLS,
    any_value,
    likely,
    pick,
)
from workbench.fuzz.script import Script
from workbench.replay.values import RESUMES

#: Clock values: the beginning, usual ones, and those where a signed or an unsigned number ends.
_NS = (0, 1, 10**9, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
#: Moments as of which the clock is set: none, now, in the far future, of 2001, of 1970, and between 2011 and today.
_MOMENTS = (False, False, True, (1 << 64) - 1, 1 << 63, 10**18, 1, 14 * 10**17)


def clock_set(script: Script) -> None:
    """The VMM sets the clock: each vCPU's clock is written at its next entry, the wall clock is not."""
    rng = script.rng
    gpa = script.good()
    script.wrmsr(pick(rng, CLOCKS), likely(rng, CLOCK, gpa))
    if rng.random() < 0.3:
        script.wrmsr(pick(rng, WALLS), script.good())
    script.run()
    is_shared = rng.random() < 0.3
    if is_shared:
        script.other_cpu()
        script.wrmsr(CLOCK, likely(rng, CLOCK, gpa))
        script.run()
    script.look(gpa)
    script.add("set_clock", ns=pick(rng, _NS), realtime=pick(rng, _MOMENTS))
    if rng.random() < 0.5 and not is_shared:
        script.look(gpa)
    script.add("get_clock")
    script.run()
    if is_shared:
        script.other_cpu()
        script.run()
    script.look(gpa)


def token_on_its_way(script: Script) -> None:
    """The VMM acts before a wake-all has arrived; then the guest disables tokens, and enables them again."""
    rng = script.rng
    gpa = script.good()
    enabled = likely(rng, APF_EN, gpa)
    script.wrmsr(APF_EN, enabled)
    acts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("migrate", {}),
        ("reset", {}),
        ("snapshot", {}),
        ("init", {"cpu": script.cpu}),
        ("host_set_msr", {"cpu": script.cpu, "msr": APF_EN, "value": enabled}),
    )
    op, arguments = pick(rng, acts)
    if op != "init" or script.irqchip:
        script.add(op, **arguments)
    script.run()
    script.wrmsr(APF_EN, 0)
    script.add("store", gpa=gpa, hex=bytes(64))
    script.wrmsr(APF_EN, enabled)
    script.run()
    script.look(gpa)


def list_of_registers(script: Script) -> None:
    """KVM_SET_MSRS with several entries: how many are processed, and what do the registers hold?"""
    rng = script.rng
    listed = [pick(rng, CLAIMED) for _ in range(int(rng.random() * 7))]
    script.add(
        "host_set_msrs",
        cpu=script.cpu,
        entries=tuple((msr, any_value(rng, script.palette, msr)) for msr in listed),
    )
    script.add("host_get_msrs", cpu=script.cpu, registers=_some_registers(script))
    script.run()


def other_pages(script: Script) -> None:
    """A memslot gets other host pages, or is read-only for a while, under registrations."""
    rng = script.rng
    gpa, _ = pick(rng, [slot for slot in SLOTS if slot[0] in script.slots] or SLOTS)
    if gpa not in script.slots:
        return
    area = gpa + 0x40 * int(rng.random() * 8)
    msr = pick(rng, AREAS)
    script.wrmsr(msr, likely(rng, msr, area))
    script.run()
    script.look(area)
    if rng.random() < 0.5:
        script.add("move_ram", gpa=gpa)
    else:
        script.add("protect", gpa=gpa, readonly=True)
        script.run()
        msr = pick(rng, (EOI, APF_EN, STEAL, CLOCK, *WALLS))
        script.wrmsr(msr, likely(rng, msr, area))
        script.add("store", gpa=area, hex=bytes(4))
        script.look(area)
        script.add("protect", gpa=gpa, readonly=False)
    script.run()
    script.look(area)


def filtered(script: Script) -> None:
    """An MSR filter stands between guest and registers for a while; the VMM is not filtered."""
    rng = script.rng
    listed = tuple(dict.fromkeys(pick(rng, CLAIMED) for _ in range(1 + int(rng.random() * 6))))
    script.add("msr_filter", **{pick(rng, ("allow", "deny")): listed})
    for _ in range(4):
        msr = pick(rng, listed) if rng.random() < 0.6 else pick(rng, CLAIMED)
        op = pick(rng, ("wrmsr", "rdmsr", "host_set_msr", "host_get_msr"))
        value = {"value": any_value(rng, script.palette, msr)} if op in ("wrmsr", "host_set_msr") else {}
        script.add(op, cpu=script.cpu, msr=msr, **value)
    if rng.random() < 0.85:
        script.add("msr_filter")


def machine_reset(script: Script) -> None:
    """The VMM resets the machine: every register has its first value, and no area is written any more."""
    rng = script.rng
    gpa = script.good()
    msr = pick(rng, AREAS)
    script.wrmsr(msr, likely(rng, msr, gpa))
    script.run()
    script.look(gpa)
    script.add("reset")
    _read_all(script)
    script.run()
    script.look(gpa)


def reset_in_place(script: Script) -> None:
    """Memory and registers of a snapshot, or of the beginning, are written into the live machine."""
    rng = script.rng
    gpa, other = script.good(), script.good()
    msr = pick(rng, AREAS)
    script.wrmsr(msr, likely(rng, msr, gpa))
    script.run()
    if rng.random() < 0.8:
        for start, size in SLOTS:
            if start in script.slots:
                script.look(start, size)
        script.add("snapshot")
    msr = pick(rng, AREAS)
    script.wrmsr(msr, likely(rng, msr, other))
    script.run()
    script.add("store", gpa=other, hex=bytes([pick(rng, (0, 0xA5))]) * 4)
    script.add("reset_in_place")
    _read_all(script)
    script.look(gpa)
    script.run()
    script.look(gpa)
    script.look(other)


def copied_in_rounds(script: Script) -> None:
    """Memory is copied while the machine runs: what do the logs name, and what does the destination have?"""
    rng = script.rng
    if rng.random() < 0.4:
        return
    gpa = script.good()
    msr = pick(rng, AREAS)
    script.wrmsr(msr, likely(rng, msr, gpa))
    for _ in range(1 + int(rng.random() * 3)):
        script.add("copy_round")
        if rng.random() < 0.5:
            script.add("store", gpa=script.good(), hex=b"\x5a")
        msr = pick(rng, AREAS)
        script.wrmsr(msr, likely(rng, msr, script.good()))
        script.run()
    if rng.random() < 0.5:
        script.add("migrate")
        script.run()
    script.look(gpa)


def own_migration(script: Script) -> None:
    """A VMM migrates, with the list that it has in real life or with one of the script's own."""
    rng = script.rng
    if rng.random() < 0.5:
        return
    gpa = script.good()
    msr = pick(rng, AREAS)
    script.wrmsr(msr, likely(rng, msr, gpa))
    listed = None if rng.random() < 0.4 else _some_registers(script)
    script.add("migrate", registers=listed, vmm=pick(rng, (STOPS_SHORT, *VMMS.values())), source=RESUMES)
    _read_all(script)
    script.run()
    script.look(gpa)


def _some_registers(script: Script) -> tuple[int, ...]:
    return tuple(pick(script.rng, CLAIMED) for _ in range(int(script.rng.random() * 10)))


def _read_all(script: Script) -> None:
    script.add("host_get_msrs", cpu=script.cpu, registers=CLAIMED)


#: The scenarios, and the relative frequency of each.
PHRASES = (
    (clock_set, 3),
    (token_on_its_way, 2),
    (list_of_registers, 6),
    (other_pages, 2),
    (filtered, 2),
    (machine_reset, 2),
    (reset_in_place, 2),
    (copied_in_rounds, 2),
    (own_migration, 2),
)
