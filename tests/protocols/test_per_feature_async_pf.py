"""per_feature, one test or more per clause: R8 to R12, asynchronous page faults."""

import pytest

from workbench.core.host_state import VM, pending
from workbench.core.outcome import FAULT, HANDLED
from workbench.core.steps import Backed
from workbench.core.vcpu import Host
from workbench.engines.simulate.by_hand import Bench
from workbench.features import FEATURES
from workbench.protocols import PerFeature

from .bench import bench_of
from .per_feature_registers import (
    APF_ACK,
    APF_EN,
    APF_INT,
    CLOCK,
    HOLE,
    LINUX,
    STEAL,
    register_all,
)


@pytest.fixture
def bench():
    return bench_of(PerFeature)


# -- R8 to R12: async page fault -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0x5011, 0x5021, 0x5030])
def test_per_feature_R8_reserved_bits_change_nothing(bench, value):
    bench.wrmsr(APF_EN, 0x3009)
    assert bench.wrmsr(APF_EN, value) is FAULT
    assert bench.rdmsr(APF_EN) == 0x3009
    assert bench.serves("async_pf") == 0x3000


def test_per_feature_R8_without_a_lapic_only_zero_is_accepted():
    bench = bench_of(PerFeature, host=Host(irqchip=False))
    assert bench.wrmsr(APF_EN, 0x3009) is FAULT
    assert bench.set_msr(APF_EN, 0) is True, "kernel 5.8 refused it, and QEMU aborted"
    assert bench.rdmsr(APF_EN) == 0


@pytest.mark.parametrize("value", [0x3001, 0x3008, 0x3003, HOLE | 1])
def test_per_feature_R9_without_both_bits_accepted_and_silent(bench, value):
    bench.wrmsr(APF_EN, 0x4009)
    assert bench.wrmsr(APF_EN, value) is HANDLED
    assert bench.rdmsr(APF_EN) == value
    assert bench.serves("async_pf") is None


@pytest.mark.parametrize("value", [0x3009, 0x300B, 0x300D, 0x300F])
def test_per_feature_R9_both_bits_enable(bench, value):
    assert bench.wrmsr(APF_EN, value) is HANDLED
    assert bench.serves("async_pf") == 0x3000


def token(bench, gpa=0x3000):
    return bench.number(gpa + 4)


@pytest.mark.parametrize("write", [Bench.wrmsr, Bench.set_msr])
def test_per_feature_R9_enabling_wakes_all_at_the_next_entry(bench, write):
    write(bench, APF_EN, 0x3009)
    assert token(bench) == 0
    bench.enter()
    assert token(bench) == 0xFFFF_FFFF


def test_per_feature_R9_a_token_that_was_not_taken_is_waited_for(bench):
    bench.memory.store(0x3004, b"\5\0\0\0")
    bench.wrmsr(APF_EN, 0x3009)
    bench.enter()
    assert token(bench) == 5
    assert bench.guest(FEATURES["async_pf"].read(0x3000)) == 5
    bench.enter()
    assert token(bench) == 0, "KVM looks again only when the guest says so"
    bench.wrmsr(APF_ACK, 0)
    assert token(bench) == 0, "bit 0 says so"
    bench.wrmsr(APF_ACK, 1)
    assert token(bench) == 0xFFFF_FFFF
    assert bench.guest(FEATURES["async_pf"].read(0x3000)) == 0xFFFF_FFFF
    bench.wrmsr(APF_ACK, 1)
    assert token(bench) == 0, "one enabling, one event"


@pytest.mark.parametrize("drop", ["disable", "init"])
def test_per_feature_R9_disabling_and_init_drop_what_waits(bench, drop):
    bench.memory.store(0x3004, b"\5\0\0\0")
    bench.wrmsr(APF_EN, 0x3009)
    bench.memory.store(0x3004, bytes(4))
    if drop == "init":
        bench.init()
    else:
        bench.wrmsr(APF_EN, 0)
    bench.wrmsr(APF_ACK, 1)
    bench.enter()
    assert token(bench) == 0


def test_per_feature_R9_enabling_again_after_what_waited_was_dropped_wakes_all_at_the_next_entry(bench):
    bench.memory.store(0x3004, b"\5\0\0\0")
    bench.wrmsr(APF_EN, 0x3009)
    bench.enter()  # the token is not taken: the wake-all waits for an ACK
    bench.wrmsr(APF_EN, 0)
    bench.memory.store(0x3004, bytes(4))
    bench.wrmsr(APF_EN, 0x3009)
    bench.enter()
    assert token(bench) == 0xFFFF_FFFF


def test_per_feature_R20_a_clock_that_the_vmm_disables_has_no_update_due(bench):
    bench.register("kvmclock", 0x3000)
    assert bench.set_msr(CLOCK, 0) is True
    assert pending(0, "kvmclock") not in bench.machine.entries
    assert bench.set_msr(CLOCK, 0x3001) is True
    assert bench.machine.entries[pending(0, "kvmclock")] is True


def test_per_feature_R10_a_refused_enable_is_remembered(bench):
    bench.wrmsr(APF_EN, 0x3009)
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    assert bench.rdmsr(APF_EN) == bench.get_msr(APF_EN) == HOLE | 9
    assert bench.serves("async_pf") is None
    bench.memory.add(2 * HOLE, 0x1000)
    assert bench.serves("async_pf") == 0x3000, "R22: the area before, which the register does not name"


def test_per_feature_R10_R22_an_area_that_was_given_up_comes_back(bench):
    """The cache keeps an address that the register enables no longer: a refused value enables it again."""
    bench.wrmsr(APF_EN, 0x3009)
    bench.wrmsr(APF_EN, 0)
    bench.memory.add(2 * HOLE, 0x1000)
    assert bench.serves("async_pf") is None
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    assert bench.serves("async_pf") is None
    bench.memory.delete(2 * HOLE)
    assert bench.serves("async_pf") == 0x3000
    assert bench.wrmsr(APF_EN, 0) is HANDLED
    bench.memory.add(2 * HOLE, 0x1000)
    assert bench.serves("async_pf") is None


def test_per_feature_R10_the_remembered_value_stops_a_restore_halfway(bench):
    """The bug as observed: KVM_SET_MSRS of {INT, EN, STEAL} stops at the second entry, and steal time is lost."""
    register_all(bench)
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    bench.migrate()
    assert bench.get_msr(APF_INT) == 0xF3
    assert bench.get_msr(STEAL) == 0
    assert bench.serves("steal_time") is None


def test_per_feature_R17_mitigation_quiet_restore():
    """The host's write of WALL_CLOCK is stored; guest memory is not written until the guest registers again."""
    bench = bench_of(PerFeature, mitigations=("quiet-restore",))
    bench.register("wall_clock", 0x4000)
    before = bench.counts["host_stores"]
    bench.migrate()
    assert bench.serves("wall_clock", VM) == 0x4000
    assert bench.counts["host_stores"] == before
    bench.register("wall_clock", 0x4000)
    assert bench.counts["host_stores"] > before


def test_per_feature_R10_mitigation_commit_after_check():
    """Mitigation: ASYNC_PF_EN keeps its old value when the new one is refused; the old area waits, as PV EOI's does."""
    bench = bench_of(PerFeature, mitigations=("commit-after-check",))
    register_all(bench)
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    assert bench.rdmsr(APF_EN) == LINUX[APF_EN]
    assert bench.serves("async_pf") is None
    bench.memory.add(2 * HOLE, 0x1000)
    assert bench.serves("async_pf") == 0x3200
    bench.migrate()
    assert bench.get_msr(STEAL) == LINUX[STEAL]
    assert bench.wrmsr(APF_EN, 0x5009) is HANDLED
    assert bench.serves("async_pf") == 0x5000


def test_per_feature_R10_the_first_8_bytes_must_be_backed(bench):
    program = bench.protocol.on_wrmsr(bench.machine.cpus[0], APF_EN, 0x3009)
    assert Backed(0x3000, 8) in list(program)


def test_per_feature_R11_a_refused_vector_changes_nothing(bench):
    bench.wrmsr(APF_INT, 0xF3)
    assert bench.wrmsr(APF_INT, 0x1F3) is FAULT
    assert bench.rdmsr(APF_INT) == 0xF3


def test_per_feature_R12_an_acknowledgement_leaves_no_state(bench):
    bench.wrmsr(APF_ACK, 1)
    assert bench.machine.entries == {}
