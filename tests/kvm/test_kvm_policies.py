"""Five validation policies of one kernel: what KVM does with each class of value, guest and host alike.

Source of the expectations: Linux 6.12 arch/x86/kvm/x86.c (kvm_set_msr_common), lapic.c
(kvm_lapic_set_pv_eoi) and virt/kvm/pfncache.c, and runs on Linux 6.18. "Accepted" is not "active": the
last column says whether the payload was written.
"""

import pytest
from pv_msrs import (
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
)

from workbench.core.outcome import FAULT, HANDLED
from workbench.engines.kvm.guest.guest import Guest

pytestmark = pytest.mark.kvm

RAM = 0x200000
NOWHERE, ALL_ONES = 0x40000000, 2**64 - 1
YES, NO = HANDLED, FAULT

# MSR, value, outcome, payload written at (gpa, or None). With an in-kernel LAPIC; RAM is [0, 0x200000).
TABLE = [
    *[
        row
        for msr in (SYSTEM_TIME, SYSTEM_TIME_NEW)
        for row in (
            (msr, 0, YES, None),
            (msr, 0x3000, YES, None),  # the enable bit is clear
            (msr, 0x3001, YES, 0x3000),
            (msr, 0x3003, YES, 0x3002),  # no alignment test: written unaligned
            (msr, 0x3FF1, YES, None),  # crosses a page: accepted and never written
            (msr, RAM - 31, YES, RAM - 32),  # the last 32 bytes
            (msr, RAM - 15, YES, None),
            (msr, NOWHERE | 1, YES, None),
            (msr, ALL_ONES, YES, None),
        )
    ],
    *[
        row
        for msr in (WALL_CLOCK, WALL_CLOCK_NEW)
        for row in (
            (msr, 0, YES, None),
            (msr, 0x3000, YES, 0x3000),  # no enable bit
            (msr, 0x3003, YES, 0x3003),
            (msr, 0x3FFA, YES, 0x3FFA),  # writes both pages
            (msr, RAM - 12, YES, RAM - 12),
            (msr, NOWHERE, YES, None),
            (msr, ALL_ONES, YES, None),
        )
    ],
    (STEAL_TIME, 0, YES, None),
    (STEAL_TIME, 0x3000, YES, None),
    (STEAL_TIME, 0x3001, YES, 0x3000),
    *[(STEAL_TIME, 0x3000 | 1 << bit, NO, None) for bit in range(1, 6)],  # reserved, even when disabled
    (STEAL_TIME, RAM - 64 | 1, YES, RAM - 64),
    (STEAL_TIME, NOWHERE | 1, YES, None),  # the address is not looked at
    (STEAL_TIME, ALL_ONES & ~0x3E, YES, None),
    (STEAL_TIME, ALL_ONES, NO, None),
    (PV_EOI_EN, 0, YES, None),
    (PV_EOI_EN, 0x3005, YES, None),
    (PV_EOI_EN, 0x3002, NO, None),  # b1, even when disabled
    (PV_EOI_EN, RAM - 4 | 1, YES, None),
    (PV_EOI_EN, NOWHERE | 1, NO, None),
    (PV_EOI_EN, NOWHERE, YES, None),
    (PV_EOI_EN, ALL_ONES, NO, None),
    (ASYNC_PF_EN, 0, YES, None),
    (ASYNC_PF_EN, 0x3009, YES, 0x3000),
    (ASYNC_PF_EN, 0x300F, YES, 0x3000),
    (ASYNC_PF_EN, 0x3010, NO, None),
    (ASYNC_PF_EN, 0x3020, NO, None),
    (ASYNC_PF_EN, NOWHERE | 1, YES, None),  # not enabled without b3: the address is not looked at
    (ASYNC_PF_EN, NOWHERE | 9, NO, None),
    (ASYNC_PF_EN, ALL_ONES, NO, None),
    (ASYNC_PF_INT, 0xF3, YES, None),
    (ASYNC_PF_INT, 0x100, NO, None),
    (ASYNC_PF_ACK, ALL_ONES, YES, None),
    (POLL_CONTROL, 0, YES, None),
    (POLL_CONTROL, 1, YES, None),
    (POLL_CONTROL, 2, NO, None),
    (MIGRATION_CONTROL, 1, NO, None),
    (0x4B564D20, 0, NO, None),
]

# The same registers without an in-kernel LAPIC, where the answer differs.
WITHOUT_LAPIC = [(ASYNC_PF_EN, 0x3009, NO), (ASYNC_PF_EN, 0, YES), (ASYNC_PF_INT, 0, NO), (PV_EOI_EN, 0x3005, YES)]

# A rejected value that reads back nevertheless, on kernels before the fix of 2026 (commit after validation).
KEPT_THOUGH_REJECTED = {(ASYNC_PF_EN, NOWHERE | 9)}


def row_name(row):
    return f"{row[0]:#x}-{row[1]:#x}"


@pytest.mark.parametrize("row", TABLE, ids=row_name)
@pytest.mark.parametrize("writer", ["guest", "host"])
def test_policy(writer, row):
    msr, value, outcome, written = row
    with Guest() as guest:
        vcpu = guest.vcpu(0)
        before = vcpu.get_msrs([msr])
        if writer == "guest":
            result = guest.wrmsr(0, msr, value)
            assert result.exits == ()
            assert result.outcome is outcome
        else:
            assert vcpu.set_msrs({msr: value}) == (outcome is HANDLED)
        guest.nop(0)  # updates that KVM defers to the next entry
        after = vcpu.get_msrs([msr])
        if outcome is FAULT:
            assert after in ((before, [value]) if (msr, value) in KEPT_THOUGH_REJECTED else (before,))
        else:
            assert after == [0 if msr == ASYNC_PF_ACK else value]
        touched = first_touched(guest)
        assert touched in (None if written is None else written + at for at in FIRST_FIELD.get(msr, (0,)))


# Where the first byte that is not zero may lie: a version at 0, except that
# steal time has its version at 8, and of steal (at 0 to 7) any of the lower bytes may be 0;
# enabling async PF delivers "wake all", token 0xffffffff at 4, and no flags (at 0).
FIRST_FIELD = {STEAL_TIME: range(9), ASYNC_PF_EN: (4,)}


def first_touched(guest):
    rest = guest.memory.read(0, RAM).lstrip(b"\0")
    return RAM - len(rest) if rest else None


@pytest.mark.parametrize("row", WITHOUT_LAPIC, ids=row_name)
def test_policy_without_lapic(row):
    msr, value, outcome = row
    with Guest(lapic=False) as guest:
        assert guest.wrmsr(0, msr, value).outcome is outcome


def test_two_names_are_one_register():
    with Guest() as guest:
        guest.wrmsr(0, SYSTEM_TIME, 0x3001)
        guest.wrmsr(0, WALL_CLOCK_NEW, 0x4000)
        assert guest.rdmsr(0, SYSTEM_TIME_NEW).value == 0x3001
        assert guest.rdmsr(0, WALL_CLOCK).value == 0x4000


def test_page_crossing_leaves_the_old_area_live_while_the_register_shows_the_new():
    with Guest() as guest:
        guest.wrmsr(0, SYSTEM_TIME, 0x3001)
        guest.wrmsr(0, SYSTEM_TIME, 0x5FF1)
        version = guest.memory.read(0x3000, 4)
        guest.vm.set_clock(12345678)
        guest.nop(0)
        assert guest.rdmsr(0, SYSTEM_TIME).value == 0x5FF1
        assert guest.memory.read(0x3000, 4) != version
        assert guest.memory.read(0x5FF0, 32) == bytes(32)


def test_rejected_value_in_the_middle_of_a_restore_loses_what_follows():
    with Guest() as guest:
        msrs = [(ASYNC_PF_INT, 0xF3), (ASYNC_PF_EN, NOWHERE | 9), (STEAL_TIME, 0x3001)]
        assert guest.vcpu(0).set_msrs(msrs) == 1
        assert guest.vcpu(0).get_msrs([STEAL_TIME]) == [0]
