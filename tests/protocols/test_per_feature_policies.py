"""per_feature: every cell of the validation table that was measured on real KVM (one slot, [0, 2 MiB)).

Guest-initiated and host-initiated verdicts are the same; "accepted" does not mean "active". The rules that do not
fit into a table are tested in test_per_feature.py.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.outcome import FAULT, HANDLED
from workbench.core.vcpu import Host
from workbench.engines.simulate.by_hand import RAM_END
from workbench.protocols import PerFeature
from workbench.protocols.per_feature import KVMS_OWN

from .bench import bench_of

WALL, CLOCK = 0x4B56_4D00, 0x4B56_4D01
APF_EN, STEAL, EOI, POLL, APF_INT, APF_ACK = range(0x4B56_4D02, 0x4B56_4D08)
OLD_WALL, OLD_CLOCK = 0x11, 0x12
HOLE, BEYOND, TOP = 0x30_0000, 1 << 52, (1 << 64) - 64
ONES = (1 << 64) - 1
ACCEPTED, REJECTED, KEPT = "accepted", "rejected", "rejected, yet kept"
CUT_OFF = -1  # the version is inside and advances, the rest does not fit

# class of value, value, verdict, gpa at which the payload is then written (None: nowhere)
CLOCK_TABLE = [
    ("zero", 0, ACCEPTED, None),
    ("backed, off", 0x3000, ACCEPTED, None),
    ("backed, on", 0x3001, ACCEPTED, 0x3000),
    ("misaligned", 0x3003, ACCEPTED, 0x3002),
    ("misaligned, off", 0x3002, ACCEPTED, None),
    ("crosses a page", 0x3FF1, ACCEPTED, None),
    ("just fits a page", 0x3FE1, ACCEPTED, 0x3FE0),
    ("last bytes of the slot", RAM_END - 32 | 1, ACCEPTED, RAM_END - 32),
    ("crosses the slot's end", RAM_END - 16 | 1, ACCEPTED, None),
    ("in no slot", HOLE | 1, ACCEPTED, None),
    ("above the physical range", BEYOND | 1, ACCEPTED, None),
    ("all ones", ONES, ACCEPTED, None),
]
WALL_TABLE = [
    ("zero", 0, ACCEPTED, None),
    ("backed", 0x3000, ACCEPTED, 0x3000),
    ("low bit set", 0x3001, ACCEPTED, 0x3001),
    ("misaligned", 0x3002, ACCEPTED, 0x3002),
    ("crosses a page", 0x3FFA, ACCEPTED, 0x3FFA),
    ("last bytes of the slot", RAM_END - 12, ACCEPTED, RAM_END - 12),
    ("crosses the slot's end", RAM_END - 8, ACCEPTED, CUT_OFF),
    ("in no slot", HOLE, ACCEPTED, None),
    ("above the physical range", BEYOND, ACCEPTED, None),
    ("all ones", ONES, ACCEPTED, None),
]
STEAL_TABLE = [
    ("zero", 0, ACCEPTED, None),
    ("backed, off", 0x3000, ACCEPTED, None),
    ("backed, on", 0x3001, ACCEPTED, 0x3000),
    *((f"bit {bit}, on", 0x3001 | 1 << bit, REJECTED, None) for bit in range(1, 6)),
    *((f"bit {bit}, off", 0x3000 | 1 << bit, REJECTED, None) for bit in range(1, 6)),
    ("crosses a page", 0x3FE1, REJECTED, None),
    ("last bytes of the slot", RAM_END - 64 | 1, ACCEPTED, RAM_END - 64),
    ("crosses the slot's end", RAM_END - 32 | 1, REJECTED, None),
    ("in no slot", HOLE | 1, ACCEPTED, None),
    ("above the physical range", BEYOND | 1, ACCEPTED, None),
    ("top of the address space", TOP | 1, ACCEPTED, None),
    ("all ones", ONES, REJECTED, None),
]
EOI_TABLE = [
    ("zero", 0, ACCEPTED, None),
    ("backed, off", 0x3000, ACCEPTED, None),
    ("backed, on", 0x3001, ACCEPTED, None),
    ("4-aligned", 0x3005, ACCEPTED, None),
    ("bit 1, on", 0x3003, REJECTED, None),
    ("bit 1, off", 0x3002, REJECTED, None),
    ("last bytes of the slot", RAM_END - 4 | 1, ACCEPTED, None),
    ("in no slot, on", HOLE | 1, REJECTED, None),
    ("in no slot, off", HOLE, ACCEPTED, None),
    ("above the physical range, on", BEYOND | 1, REJECTED, None),
    ("all ones", ONES, REJECTED, None),
]
APF_TABLE = [
    ("zero", 0, ACCEPTED, None),
    ("backed, off", 0x3000, ACCEPTED, None),
    ("b0 alone", 0x3001, ACCEPTED, None),
    ("b3 alone", 0x3008, ACCEPTED, None),
    ("b0 and b3", 0x3009, ACCEPTED, 0x3000),
    ("all flags", 0x300F, ACCEPTED, 0x3000),
    ("b4", 0x3011, REJECTED, None),
    ("b5", 0x3021, REJECTED, None),
    ("b4, off", 0x3010, REJECTED, None),
    ("b5, off", 0x3020, REJECTED, None),
    ("crosses a page", 0x3FF9, REJECTED, None),
    ("last bytes of the slot", RAM_END - 64 | 9, ACCEPTED, RAM_END - 64),
    ("crosses the slot's end", RAM_END - 32 | 9, REJECTED, None),
    ("in no slot, b0 alone", HOLE | 1, ACCEPTED, None),
    ("in no slot, b3 alone", HOLE | 8, ACCEPTED, None),
    ("in no slot, b0 and b3", HOLE | 9, KEPT, None),
    ("above the physical range, b0 and b3", BEYOND | 9, KEPT, None),
    ("all ones", ONES, REJECTED, None),
]
NO_LAPIC_APF_TABLE = [(name, value, REJECTED if value else ACCEPTED, None) for name, value, _, _ in APF_TABLE]
INT_VALUES = [0, 1, 0xF3, 0xFF, 0x100, 0x1FF, 1 << 63, ONES]
INT_TABLE = [(hex(v), v, ACCEPTED if v < 0x100 else REJECTED, None) for v in INT_VALUES]
NO_LAPIC_INT_TABLE = [(hex(v), v, REJECTED, None) for v in INT_VALUES]
POLL_TABLE = [
    *((f"{value:#x}", value, ACCEPTED, None) for value in (0, 1)),
    *((f"bit {bit}", 1 << bit, REJECTED, None) for bit in range(1, 64)),
    ("all ones", ONES, REJECTED, None),
]
SIZES = {WALL: 12, OLD_WALL: 12, CLOCK: 32, OLD_CLOCK: 32, STEAL: 64, APF_EN: 64}
TABLES = {
    True: {
        CLOCK: CLOCK_TABLE, OLD_CLOCK: CLOCK_TABLE, WALL: WALL_TABLE, OLD_WALL: WALL_TABLE, STEAL: STEAL_TABLE,
        EOI: EOI_TABLE, APF_EN: APF_TABLE, APF_INT: INT_TABLE, POLL: POLL_TABLE,
    },
    False: {
        CLOCK: CLOCK_TABLE, OLD_CLOCK: CLOCK_TABLE, WALL: WALL_TABLE, OLD_WALL: WALL_TABLE, STEAL: STEAL_TABLE,
        EOI: EOI_TABLE, APF_EN: NO_LAPIC_APF_TABLE, APF_INT: NO_LAPIC_INT_TABLE, POLL: POLL_TABLE,
    },
}  # fmt: skip
CELLS = [
    pytest.param(irqchip, msr, value, verdict, where, id=f"{msr:#x}{'' if irqchip else ' no LAPIC'}: {name}")
    for irqchip, table in TABLES.items()
    for msr, rows in table.items()
    for name, value, verdict, where in rows
]


def write(bench, initiator, msr, value):
    """Write by ``initiator``; return whether it was accepted."""
    if initiator == "host":
        return bench.set_msr(msr, value)
    return {HANDLED: True, FAULT: False}[bench.wrmsr(msr, value)]


def written_pages(bench):
    return set(bench.memory.dirty_log(0))


@pytest.mark.parametrize("initiator", ["guest", "host"])
@pytest.mark.parametrize(("irqchip", "msr", "value", "verdict", "where"), CELLS)
def test_per_feature_cell(initiator, irqchip, msr, value, verdict, where):
    """R3 to R13 and R17: verdict, read-back by guest and host, and where the payload then is."""
    bench = bench_of(PerFeature, host=Host(irqchip=irqchip))
    fresh = bench.get_msr(msr)
    accepted = write(bench, initiator, msr, value)
    bench.enter()

    assert accepted is (verdict == ACCEPTED)
    kept = fresh if verdict == REJECTED else value
    assert bench.rdmsr(msr) == bench.get_msr(msr) == kept
    if where is None:
        assert written_pages(bench) == set()
    elif where == CUT_OFF:
        assert bench.number(value) == 2
    else:
        size = SIZES[msr]
        assert written_pages(bench) == {at & ~0xFFF for at in (where, where + size - 1)}
        assert bench.memory.load(where, size) != bytes(size)


@pytest.mark.parametrize("initiator", ["guest", "host"])
@pytest.mark.parametrize("irqchip", [True, False])
@pytest.mark.parametrize("value", [0, 1, 2, 0xFF, 1 << 40, ONES])
def test_per_feature_R12_ack_is_never_refused_and_reads_zero(initiator, irqchip, value):
    bench = bench_of(PerFeature, host=Host(irqchip=irqchip))
    assert write(bench, initiator, APF_ACK, value)
    assert bench.rdmsr(APF_ACK) == bench.get_msr(APF_ACK) == 0


@pytest.mark.parametrize("msr", [0x4B56_4D08, 0x4B56_4D09, 0x4B56_4D20, 0x4B56_4DFE, 0x4B56_4DFF, 0x10, 0x13])
@pytest.mark.parametrize("value", [0, 1])
def test_per_feature_R14_what_kvm_does_not_claim_faults_and_the_host_processes_no_entry(msr, value):
    bench = bench_of(PerFeature)
    assert bench.wrmsr(msr, value) is FAULT
    assert bench.rdmsr(msr) is FAULT
    assert bench.set_msr(msr, value) is False
    assert bench.get_msr(msr) is None


# -- CPUID enforcement ---------------------------------------------------------------------------------

#: A value that each register accepts.
GOOD = {
    OLD_WALL: 0x3000, WALL: 0x3000, OLD_CLOCK: 0x3001, CLOCK: 0x3001, APF_EN: 0x3001, STEAL: 0x3001, EOI: 0x3001,
    POLL: 0, APF_INT: 0xF3, APF_ACK: 1,
}  # fmt: skip
BIT = {
    OLD_WALL: 0, OLD_CLOCK: 0, WALL: 3, CLOCK: 3, APF_EN: 4, STEAL: 5, EOI: 6, POLL: 12, APF_INT: 14, APF_ACK: 14,
}  # fmt: skip
every_register = pytest.mark.parametrize("msr", GOOD)
SUPPORTED = frozenset({0, 1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 24})


def test_the_tables_name_every_register():
    assert set(GOOD) == set(BIT) == PerFeature.msrs
    assert {msr: one.cpuid_bit for msr, one in KVMS_OWN.items()} == BIT
    assert set(TABLES[True]) == set(TABLES[False]) == PerFeature.msrs - {APF_ACK}


@every_register
@pytest.mark.parametrize("value", [0, None])
def test_per_feature_R15_a_hidden_register_faults_in_the_guest_even_for_zero(msr, value):
    bench = bench_of(PerFeature, cpuid=SUPPORTED - {BIT[msr]}, enforce_cpuid=True)
    assert bench.wrmsr(msr, GOOD[msr] if value is None else value) is FAULT
    assert bench.rdmsr(msr) is FAULT
    assert bench.machine.entries == {}


@every_register
def test_per_feature_R15_the_host_may_read_a_hidden_register_and_write_zero(msr):
    bench = bench_of(PerFeature, cpuid=SUPPORTED - {BIT[msr]}, enforce_cpuid=True)
    assert bench.set_msr(msr, 0) is True
    assert bench.set_msr(msr, GOOD[msr] or 1) is False
    assert bench.get_msr(msr) == 0
    assert bench.machine.entries == {}


@every_register
@pytest.mark.parametrize(("cpuid", "enforce"), [(frozenset(), False), (SUPPORTED, True)])
def test_per_feature_R15_cpuid_gates_nothing_unless_enforced_and_absent(msr, cpuid, enforce):
    bench = bench_of(PerFeature, cpuid=cpuid, enforce_cpuid=enforce)
    assert bench.wrmsr(msr, GOOD[msr]) is HANDLED
    assert bench.rdmsr(msr) == (0 if msr == APF_ACK else GOOD[msr])
    assert bench.set_msr(msr, GOOD[msr]) is True


@every_register
def test_per_feature_R15_each_register_depends_on_its_own_bit_only(msr):
    bench = bench_of(PerFeature, cpuid=frozenset({BIT[msr]}), enforce_cpuid=True)
    assert bench.wrmsr(msr, GOOD[msr]) is HANDLED
    assert {other for other in GOOD if bench.rdmsr(other) is not FAULT} == {r for r in BIT if BIT[r] == BIT[msr]}


@pytest.mark.parametrize("initiator", ["guest", "host"])
@pytest.mark.parametrize(("flag", "bit"), [(1 << 2, 10), (1 << 3, 14)])
def test_per_feature_R15_delivery_flags_of_async_pf_need_bits_of_their_own(initiator, flag, bit):
    without = SUPPORTED - {bit}
    for cpuid, enforce, accepted in [(without, True, False), (without, False, True), (SUPPORTED, True, True)]:
        bench = bench_of(PerFeature, cpuid=cpuid, enforce_cpuid=enforce)
        assert write(bench, initiator, APF_EN, 0x3001 | flag) is accepted
        assert bench.get_msr(APF_EN) == (0x3001 | flag if accepted else 0)


@every_register
def test_per_feature_R15_ignore_msrs_swallows_a_hidden_register(msr):
    """A hidden register is "unsupported", to which kvm.ignore_msrs applies; to a refused value it does not apply."""
    bench = bench_of(PerFeature, cpuid=SUPPORTED - {BIT[msr]}, enforce_cpuid=True, host=Host(ignore_msrs=True))
    assert bench.wrmsr(msr, GOOD[msr]) is HANDLED
    assert bench.rdmsr(msr) == 0
    assert bench.machine.entries == {}


@pytest.mark.parametrize(
    ("msr", "value"), [(STEAL, 0x3003), (EOI, HOLE | 1), (APF_EN, 0x3011), (APF_INT, 256), (POLL, 2)]
)
def test_per_feature_R6_ignore_msrs_does_not_swallow_a_refused_value(msr, value):
    bench = bench_of(PerFeature, host=Host(ignore_msrs=True, user_msrs=frozenset({msr})))
    assert bench.wrmsr(msr, value) is FAULT
    assert bench.counts["user_exits"] == 0


# -- the same as a property of all values --------------------------------------------------------------


def lawful(msr, value, irqchip):
    """Tell whether KVM accepts ``value``, written as briefly as possible (RAM is [0, 2 MiB))."""
    low, on, backed = value & 0x3F, value & 1, (value & ~0x3F) + 64 <= RAM_END
    if msr == STEAL:
        return not low & 0x3E
    if msr == EOI:
        return not low & 2 and (not on or value & ~3 < RAM_END)
    if msr == APF_EN:
        return value == 0 or (irqchip and not low & 0x30 and (low & 9 != 9 or backed))
    if msr == APF_INT:
        return irqchip and value < 256
    return msr != POLL or value < 2


values = st.one_of(
    st.integers(0, ONES),
    st.builds(
        lambda page, low: page | low,
        st.sampled_from([0, 0x3000, RAM_END - 0x1000, RAM_END, HOLE]),
        st.integers(0, 0xFFF),
    ),
)


@settings(max_examples=400)
@given(msr=st.sampled_from(sorted(GOOD)), value=values, irqchip=st.booleans(), enter=st.booleans())
def test_per_feature_R17_guest_and_host_get_the_same_verdict_for_any_value(msr, value, irqchip, enter):
    by_guest, by_host = (bench_of(PerFeature, host=Host(irqchip=irqchip)) for _ in range(2))
    accepted = bool(lawful(msr, value, irqchip))
    assert write(by_guest, "guest", msr, value) is accepted
    assert write(by_host, "host", msr, value) is accepted
    assert by_guest.rdmsr(msr) == by_host.get_msr(msr)
    if enter:
        by_guest.enter()
        by_host.enter()
        assert written_pages(by_guest) == written_pages(by_host)
