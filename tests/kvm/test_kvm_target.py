"""Replay on real KVM beyond the library: UNKNOWN registers, other protocols, impossible operations, reuse."""

import time

import pytest

from workbench import replay
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN
from workbench.core.replay_target import MachineSpec
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.engines.kvm import state
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.replay_target import KvmTarget
from workbench.errors import EngineError, WorkbenchError
from workbench.features import choose
from workbench.protocols import find

pytestmark = pytest.mark.kvm
CLOCK, APF_EN, STEAL, EOI, POLL, MIGRATION = 0x4B564D01, 0x4B564D02, 0x4B564D03, 0x4B564D04, 0x4B564D05, 0x4B564D08


@pytest.fixture
def machine():
    """Return what opens machines; all are closed at the end."""
    opened = []

    def open_machine(vcpus=1, *, irqchip=True, protocol="per_feature", log_dirty=False):
        opened.append(KvmTarget(MachineSpec(vcpus, irqchip), find(protocol)(choose()), log_dirty=log_dirty))
        return opened[-1]

    yield open_machine
    for one in opened:
        one.close()
        one.close()


def play(protocol, *lines):
    file = replay.parse("f", "\n".join(lines).encode())
    return list(replay.play([file], replay.find_engine("kvm"), lambda name: find(name or protocol)(choose())))


def test_unknown_is_told_from_refused(machine):
    target = machine()
    assert target.tells_unknown
    assert target.wrmsr(0, MIGRATION, 1) is UNKNOWN
    assert target.rdmsr(0, 0x4B564D20) == (UNKNOWN, None)
    assert target.wrmsr(0, STEAL, 2) is FAULT
    assert target.wrmsr(0, STEAL, 0) is HANDLED, "an earlier refusal is not remembered"


def test_the_generic_protocol_runs_by_its_own_handlers():
    """The MSR filter deflects its register to us; KVM's own registers do not exist for this guest."""
    results = play(
        "generic",
        '{"op": "ram", "gpa": 0, "size": "0x4000"}',
        '{"op": "store", "gpa": "0x100", "hex": "0010000000000000 10000000 08000000 ff000000"}',
        '{"op": "wrmsr", "msr": "0x4b564d03", "value": "0x100", "expect": {"outcome": "HANDLED"}}',
        '{"op": "load", "gpa": "0x110", "size": 1, "expect": {"hex": "00"}}',
        '{"op": "rdmsr", "msr": "0x4b564d03", "expect": {"outcome": "UNKNOWN"}}',
        '{"op": "host_set_msr", "msr": "0x4b564d03", "value": "0x100", "expect": {"accepted": false}}',
        '{"op": "host_get_msr", "msr": "0x4b564d03", "expect": {"accepted": false}}',
        '{"op": "wrmsr", "msr": "0x4b564d01", "value": 1, "expect": {"outcome": "UNKNOWN"}}',
        '{"op": "rdmsr", "msr": "0x12", "expect": {"outcome": "UNKNOWN"}}',
        '{"op": "init"}',
        '{"op": "migrate"}',
        '{"op": "run"}',
    )
    assert replay.totals(results) == (7, 0), replay.as_text(results)


def test_a_host_that_knows_no_register():
    line = '{"op": "wrmsr", "msr": %d, "value": 0, "expect": {"outcome": "UNKNOWN"}}'
    assert replay.totals(play("null", *(line % msr for msr in (0x11, 0x12, STEAL)))) == (3, 0)


def test_cpuid_is_fixed_by_the_first_entry(machine):
    target = machine()
    target.set_cpuid(0, KVM_SUPPORTED - {5}, True)
    assert target.wrmsr(0, STEAL, 1) is UNKNOWN
    target.set_cpuid(0, KVM_SUPPORTED - {5}, False)
    assert target.wrmsr(0, STEAL, 1) is HANDLED
    with pytest.raises(EngineError, match="vCPU 0 has entered the guest: KVM takes other CPUID bits only before that"):
        target.set_cpuid(0, KVM_SUPPORTED, True)


def test_what_is_impossible_is_one_line(machine):
    target = machine(irqchip=False)
    with pytest.raises(EngineError, match="INIT comes through the LAPIC"):
        target.init(0)
    with pytest.raises(EngineError, match="overlaps the engine's own memory"):
        target.add_ram(longmode.STUB_GPA - 0x1000, 0x2000)
    target.add_ram(0x1000, 0x1000)
    with pytest.raises(EngineError, match=r"memslot 0x0\.\.0x2000: kvm: KVM_SET_USER_MEMORY_REGION failed: EEXIST"):
        target.add_ram(0, 0x2000)
    with pytest.raises(WorkbenchError, match="no memslot begins at gpa 0x2000"):
        target.delete_ram(0x2000)
    assert target.load(0x1000, 16) == bytes(16)
    assert target.load(0x1FF8, 16) is None
    assert target.load(longmode.STUB_GPA, 16) is None, "the engine's own memory is not the guest's"
    assert target.store(0x1FF8, bytes(16)) is FAULT


def test_memory_that_returns_is_zeroed(machine):
    target = machine()
    for _ in range(3):
        target.add_ram(0, 0x2000)
        assert target.load(0x1000, 8) == bytes(8)
        target.store(0x1000, b"01234567")
        target.delete_ram(0)


def test_a_reset_leaves_nothing_behind(machine):
    target = machine(2, log_dirty=True)
    target.set_cpuid(0, KVM_SUPPORTED, True)
    target.add_ram(0, 0x4000)
    target.add_ram(0x8000, 0x1000)
    for msr, value in ((CLOCK, 0x1001), (STEAL, 0x1041), (EOI, 0x1081), (APF_EN, 0x10C9), (POLL, 0), (0x11, 0x1200)):
        assert target.wrmsr(0, msr, value) is HANDLED
        assert target.wrmsr(1, msr, value) is HANDLED
    target.run(0)
    target.migrate()
    target.reset()
    target.add_ram(0, 0x4000)
    assert target.load(0x1000, 0x300) == bytes(0x300)
    assert target.load(0x8000, 1) is None
    for cpu in (0, 1):
        found = [target.host_get_msr(cpu, msr) for msr in (CLOCK, STEAL, EOI, APF_EN, 0x4B564D06, POLL, 0x11)]
        assert found == [0, 0, 0, 0, 0, 1, 0]
        target.run(cpu)
    assert target.load(0, 0x4000) == bytes(0x4000)
    assert target.dirty_pages() == frozenset()


def test_dirty_pages_are_those_kvm_wrote(machine):
    target = machine(log_dirty=True)
    target.add_ram(0, 0x8000)
    target.store(0x7000, b"ours")
    target.wrmsr(0, STEAL, 0x2001)
    target.wrmsr(0, CLOCK, 0x3001)
    target.run(0)
    assert target.dirty_pages() == {2, 3}
    target.migrate()
    assert target.host_get_msr(0, STEAL) == 0x2001
    target.run(0)
    assert target.dirty_pages() == {2, 3}


def test_migrations_use_the_machine_they_left(machine):
    target = machine(2)
    target.add_ram(0, 0x8000)
    target.wrmsr(1, STEAL, 0x2001)
    machines = []
    for _ in range(4):
        target.migrate()
        target.run(1)
        machines.append(target.guest)
        assert target.host_get_msr(1, STEAL) == 0x2001
    assert len({id(one) for one in machines}) == 2
    version = int.from_bytes(target.load(0x2008, 4), "little")
    assert version >= 2 * 4, "one update for each entry"


def test_a_migration_that_is_slow_between_two_vcpus_keeps_the_master_clock(machine, monkeypatch):
    load = state.load_vcpu

    def slow(vcpu, *state, **how):
        time.sleep(1.2 * vcpu.number)
        return load(vcpu, *state, **how)

    monkeypatch.setattr(state, "load_vcpu", slow)
    target = machine(2)
    target.add_ram(0, 0x4000)
    target.run(0)
    target.migrate()
    target.wrmsr(0, CLOCK, 0x1001)
    stable = 29  # the flags of struct pvclock_vcpu_time_info
    assert target.load(0x1000, 32)[stable] == 1
