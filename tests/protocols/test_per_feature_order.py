"""per_feature R18: the result of a restore in another order than QEMU's, and the mitigation order-free-restore."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.kvm_registers import QEMU_ORDER
from workbench.core.outcome import FAULT
from workbench.protocols import PerFeature

from .bench import bench_of

CLOCK, WALL, APF_EN, STEAL, EOI = 0x12, 0x11, 0x4B56_4D02, 0x4B56_4D03, 0x4B56_4D04
POLL, APF_INT = 0x4B56_4D05, 0x4B56_4D06
GOOD = {CLOCK: 0x3001, WALL: 0x3100, APF_INT: 0xF3, APF_EN: 0x3209, EOI: 0x3301, STEAL: 0x3341, POLL: 0}
REFUSED = 0x30_0009  # where no memory is
ORDER = tuple(one.msr for one in QEMU_ORDER)


def restored(values, order, mitigations=()):
    """Return what the registers read after a restore of ``values`` in this order."""
    bench = bench_of(PerFeature, mitigations=mitigations)
    cpus = tuple(bench.machine.cpus.values())
    bench.host(bench.protocol.restore(cpus, tuple((0, msr, values[msr]) for msr in order)))
    return {msr: bench.get_msr(msr) for msr in ORDER}


@given(order=st.permutations(ORDER), skipping=st.booleans())
def test_per_feature_R18_values_that_are_accepted_are_restored_in_any_order(order, skipping):
    assert restored(GOOD, order, ("order-free-restore",) * skipping) == GOOD


@pytest.mark.parametrize(
    ("order", "lost"), [(ORDER, {EOI, STEAL, POLL}), (ORDER[::-1], {CLOCK, WALL, APF_INT})], ids=["qemu", "reversed"]
)
def test_per_feature_R18_what_a_remembered_refusal_costs_depends_on_the_order(order, lost):
    values = GOOD | {APF_EN: REFUSED}
    found = restored(values, order)
    assert {msr for msr in ORDER if found[msr] != values[msr]} == lost


@given(order=st.permutations(ORDER))
def test_per_feature_R18_mitigation_order_free_restore(order):
    """Mitigation order-free-restore: the VMM continues after a refused entry; all other entries are restored."""
    values = GOOD | {APF_EN: REFUSED}
    assert restored(values, order, ("order-free-restore",)) == values


def test_per_feature_R18_mitigation_order_free_restore_after_a_guests_mistake():
    bench = bench_of(PerFeature, mitigations=("order-free-restore",))
    assert bench.wrmsr(APF_EN, REFUSED) is FAULT
    bench.wrmsr(STEAL, 0x3041)
    bench.migrate()
    assert (bench.get_msr(STEAL), bench.serves("async_pf")) == (0x3041, None)
