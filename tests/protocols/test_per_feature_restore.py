"""per_feature R18 together with other clauses: what QEMU's list reads and writes, and where KVM stops it.

Each of these cases was first seen as a difference between the simulator and a real KVM.
"""

from workbench.core.host_state import register
from workbench.core.kvm_registers import QEMU_ORDER
from workbench.core.outcome import FAULT, HANDLED
from workbench.core.vcpu import KVM_SUPPORTED, Host
from workbench.protocols import PerFeature

from .bench import bench_of

CLOCK, OLD_CLOCK = 0x4B56_4D01, 0x12
APF_EN, STEAL, EOI, POLL, APF_INT = range(0x4B56_4D02, 0x4B56_4D07)
HOLE = 0x30_0000


def test_per_feature_R18_every_register_of_the_list_is_carried_zeros_included():
    bench = bench_of(PerFeature, vcpus=2)
    order = [one.msr for one in QEMU_ORDER]
    assert order == [0x12, 0x11, APF_INT, APF_EN, EOI, STEAL, POLL]
    assert bench.migrate() == tuple((cpu, msr, int(msr == POLL)) for cpu in (0, 1) for msr in order)


def test_per_feature_R18_under_enforcement_the_old_names_need_the_old_bit():
    """The clocks travel by 0x12 and 0x11: a vCPU that is offered only the new names loses them."""
    bench = bench_of(PerFeature, cpuid=KVM_SUPPORTED - {0}, enforce_cpuid=True)
    assert bench.wrmsr(CLOCK, 0x3001) is HANDLED
    saved = {msr: value for _, msr, value in bench.migrate()}
    assert saved[OLD_CLOCK] == 0
    assert bench.rdmsr(CLOCK) == 0


def test_per_feature_R18_a_hidden_register_reads_zero_and_zero_is_accepted():
    """R15: what the vCPU had before CPUID hid it is not carried, and does not stop the list."""
    bench = bench_of(PerFeature)
    bench.wrmsr(EOI, 0x3001)
    bench.wrmsr(STEAL, 0x3041)
    cpus = bench.machine.cpus
    cpus[0] = cpus[0].but(cpuid=KVM_SUPPORTED - {6}, enforce_cpuid=True)
    saved = {msr: value for _, msr, value in bench.migrate()}
    assert saved[EOI] == 0
    assert bench.machine.entries[register(0, STEAL)] == 0x3041


def test_per_feature_R18_without_a_lapic_the_vector_ends_the_list_even_if_it_is_zero():
    """R11: ASYNC_PF_INT = 0 is refused then, and it comes before PV_EOI_EN and STEAL_TIME in the list."""
    bench = bench_of(PerFeature, host=Host(irqchip=False))
    for msr, value in ((CLOCK, 0x3001), (EOI, 0x3101), (STEAL, 0x3141), (POLL, 0)):
        assert bench.wrmsr(msr, value) is HANDLED
    assert bench.set_msr(APF_INT, 0) is False
    bench.migrate()
    assert [bench.get_msr(msr) for msr in (CLOCK, EOI, STEAL, POLL)] == [0x3001, 0, 0, 1]


def test_per_feature_R18_a_remembered_refusal_ends_the_list():
    bench = bench_of(PerFeature)
    assert bench.wrmsr(APF_EN, HOLE | 9) is FAULT
    bench.wrmsr(STEAL, 0x3041)
    bench.migrate()
    assert bench.get_msr(STEAL) == 0


def test_per_feature_R18_the_wake_all_comes_again_on_the_destination():
    """R9: a wake-all in the old host's queue is not carried; the enabling write queues a new one."""
    bench = bench_of(PerFeature)
    bench.wrmsr(APF_EN, 0x3009)
    bench.memory.store(0x3004, bytes(4))
    bench.migrate()
    assert bench.number(0x3004) == 0
    bench.enter()
    assert bench.number(0x3004) == 0xFFFF_FFFF
