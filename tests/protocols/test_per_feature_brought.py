"""per_feature R21: a register that a feature defines and KVM does not have."""

import pytest

from tests.additions.pv_sched import PvSched
from workbench.core.host_state import pending
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, UNKNOWN
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.engines.simulate.by_hand import RAM_END
from workbench.protocols.per_feature import PerFeature

from .bench import bench_of

FEATURE = PvSched()
(REGISTER,) = FEATURE.registers
SCHED, STEAL = REGISTER.msr, 0x4B56_4D03


def bench_with(feature=FEATURE, **circumstances):
    return bench_of(lambda features, mitigations: PerFeature((*features, feature), mitigations), **circumstances)


def changed(**facts):
    """Return a copy of the feature with changed attributes."""
    return type("Changed", (PvSched,), facts)()


@pytest.fixture
def bench():
    return bench_with()


def test_per_feature_R21_it_is_registered_revoked_and_kept_as_a_value(bench):
    cpu = bench.machine.cpus[0]
    assert bench.protocol.supports(FEATURE)
    assert bench.guest(bench.protocol.register(cpu, FEATURE, 0x3000)) is ACCEPTED
    assert (bench.serves("pv_sched"), bench.rdmsr(SCHED)) == (0x3000, 0x3001)
    bench.enter()
    assert bench.number(0x3000) == 2, "the payload comes at the entry"
    bench.guest(bench.protocol.unregister(cpu, FEATURE, 0x3000))
    assert (bench.serves("pv_sched"), bench.rdmsr(SCHED)) == (None, 0)


@pytest.mark.parametrize("bit", range(1, 6))
def test_per_feature_R21_reserved_bits_are_refused_and_change_nothing(bench, bit):
    bench.wrmsr(SCHED, 0x3001)
    assert bench.wrmsr(SCHED, 0x5001 | 1 << bit) is FAULT
    assert (bench.serves("pv_sched"), bench.rdmsr(SCHED)) == (0x3000, 0x3001)


def test_per_feature_R21_the_address_is_not_checked(bench):
    assert bench.wrmsr(SCHED, RAM_END | 1) is HANDLED
    assert bench.serves("pv_sched") == RAM_END


def test_per_feature_R21_init_clears_what_is_the_vcpus():
    for scope, left in (("vcpu", None), ("vm", 0x3000)):
        bench = bench_with(changed(scope=scope), vcpus=2)
        bench.wrmsr(SCHED, 0x3001, cpu=1)
        owner = 1 if scope == "vcpu" else -1
        assert bench.serves("pv_sched", owner) == 0x3000
        bench.init(cpu=1)
        assert bench.serves("pv_sched", owner) == left
        assert bench.rdmsr(SCHED, cpu=1) == (0 if left is None else 0x3001)


def test_per_feature_R21_it_is_migrated_behind_kvms_own(bench):
    bench.wrmsr(SCHED, 0x3001)
    assert [entry.name for entry in bench.state()] == ["SYSTEM_TIME", "WALL_CLOCK", "PV_SCHED"]
    assert bench.migrate()[-1] == (0, SCHED, 0x3001)
    assert (bench.serves("pv_sched"), bench.rdmsr(SCHED)) == (0x3000, 0x3001)


@pytest.mark.parametrize("when", ["request", "registration"])
def test_per_feature_R21_what_is_due_at_once_is_written_at_once(when):
    bench = bench_with(changed(update_when=when))
    bench.wrmsr(SCHED, 0x3001)
    assert bench.number(0x3000) == 2
    bench.enter()
    assert bench.number(0x3000) == 2
    assert pending(0, "pv_sched") not in bench.machine.entries


def test_per_feature_R21_without_its_cpuid_bit_it_is_unknown():
    for offered, outcome in ((KVM_SUPPORTED, FAULT), (KVM_SUPPORTED | {18}, HANDLED)):
        bench = bench_with(cpuid=offered, enforce_cpuid=True)
        assert bench.wrmsr(SCHED, 0x3001) is outcome
        assert bench.get_msr(SCHED) == (0x3001 if outcome is HANDLED else 0)
    cpu = bench.machine.cpus[0].but(cpuid=KVM_SUPPORTED)
    assert bench.host(bench.protocol.on_wrmsr(cpu, SCHED, 0x3001)) is UNKNOWN


def test_per_feature_R21_a_bit_of_its_value_may_need_a_cpuid_bit():
    gated = type(REGISTER)("GATED", SCHED, address=~0x3F & (1 << 64) - 1, enable=1, gates=((2, 19),), touches=16)
    bench = bench_with(changed(registers=(gated,)), enforce_cpuid=True)
    assert [bench.wrmsr(SCHED, value) for value in (0x3001, 0x3003)] == [HANDLED, FAULT]


def test_per_feature_R21_a_register_that_the_vmm_serves_is_not_claimed(bench):
    other = bench_with(changed(served_by="user"))
    assert (other.wrmsr(SCHED, 0x3001), bench.wrmsr(SCHED, 0x3001)) == (FAULT, HANDLED)
    assert other.protocol.supports(FEATURE), "the guest can ask"


def test_per_feature_R21_a_value_without_an_address_is_kept_and_a_companion_serves_nothing():
    value = type(REGISTER)("VALUE", SCHED, reserved=~3 & (1 << 64) - 1, initial=2)
    bench = bench_with(changed(registers=(value,), is_value=True, guest_value=1))
    assert bench.rdmsr(SCHED) == 2
    assert [bench.wrmsr(SCHED, number) for number in (1, 4)] == [HANDLED, FAULT]
    assert (bench.rdmsr(SCHED), bench.serves("pv_sched")) == (1, None)
    companion = type(REGISTER)("COMPANION", SCHED + 1, address=REGISTER.address, enable=1)
    bench = bench_with(changed(registers=(REGISTER, companion)))
    assert bench.wrmsr(SCHED + 1, 0x5001) is HANDLED
    assert (bench.rdmsr(SCHED + 1), bench.serves("pv_sched")) == (0x5001, None)


def test_per_feature_R21_a_real_kvm_gets_the_access_but_a_variation_of_ours_answers_it():
    class Variation(PerFeature):
        pass

    assert SCHED in PerFeature([FEATURE]).msrs - PerFeature([FEATURE]).deflected
    assert SCHED in Variation([FEATURE]).deflected
    assert SCHED not in PerFeature([]).msrs | PerFeature.msrs
