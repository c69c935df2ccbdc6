"""Steps executed by a real vCPU: the host sees the guest's accesses, and the guest the host's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_msrs import POLL_CONTROL, REGISTER_MEM_AREA, STEAL_TIME, SYSTEM_TIME_NEW

from workbench.core.outcome import FAULT, HANDLED
from workbench.engines.kvm.api.exits import Hlt, MmioExit, MsrExit, MsrReason, Shutdown
from workbench.engines.kvm.guest.exit_answers import MsrAnswer
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.guest.longmode import BOUNCE_BYTES, STUB_GPA
from workbench.errors import EngineError, WorkbenchError

pytestmark = pytest.mark.kvm
RAM = 0x200000


@pytest.fixture(scope="module")
def shared():
    with Guest(2) as guest:
        yield guest


@pytest.fixture(autouse=True)
def nothing_left_behind(shared):
    """The shared guest outlives each test; test_kvm_lifetime looks at what is left."""


@settings(max_examples=150)
@given(gpa=st.integers(0, RAM - 64), data=st.binary(min_size=1, max_size=64), cpu=st.integers(0, 1))
def test_guest_stores_are_what_the_host_and_the_other_vcpu_read(shared, gpa, data, cpu):
    assert shared.store(cpu, gpa, data) == (HANDLED, (), 0, b"")
    assert shared.memory.read(gpa, len(data)) == data
    assert shared.load(1 - cpu, gpa, len(data)).data == data


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 24, 4096, BOUNCE_BYTES + 1, 3 * BOUNCE_BYTES])
def test_host_writes_are_what_the_guest_loads(shared, size):
    data = bytes(number * 7 & 0xFF for number in range(size))
    shared.memory.write(0x3FFF, data)
    assert shared.load(0, 0x3FFF, size).data == data


def test_a_store_touches_its_bytes_only(shared):
    shared.memory.write(0x8000, b"\xee" * 192)
    for size in (1, 2, 4, 8):
        shared.store(0, 0x8000 + 16 * size, b"\x11" * size)
        assert shared.memory.read(0x8000 + 16 * size - 1, size + 2) == b"\xee" + b"\x11" * size + b"\xee"


@settings(max_examples=30)
@given(value=st.integers(0, 2**64 - 1))
def test_any_64_bit_value_reaches_user_space_and_comes_back(value):
    seen = []

    def answer(cpu, access):
        seen.append(access)
        return MsrAnswer(data=value)

    with Guest(deflect={REGISTER_MEM_AREA}, on_msr_exit=answer) as guest:
        guest.wrmsr(0, REGISTER_MEM_AREA, value)
        assert seen == [MsrExit(True, MsrReason.FILTER, REGISTER_MEM_AREA, value)]
        assert guest.rdmsr(0, REGISTER_MEM_AREA).value == value


def test_general_protection_fault_is_an_outcome(shared):
    assert shared.wrmsr(0, POLL_CONTROL, 2).outcome is FAULT
    assert shared.rdmsr(0, 0x4B564D20).outcome is FAULT
    assert shared.wrmsr(0, POLL_CONTROL, 1).outcome is HANDLED


def test_wrmsr_at_cpl_3_faults_whatever_the_register(shared):
    assert shared.wrmsr(1, SYSTEM_TIME_NEW, 0).outcome is HANDLED
    assert shared.wrmsr_user(1, SYSTEM_TIME_NEW, 0) == (FAULT, (), 0, b"")
    assert shared.nop(1).outcome is HANDLED  # back at CPL 0
    assert shared.wrmsr(1, SYSTEM_TIME_NEW, 0).outcome is HANDLED


def test_counting_at_both_privilege_levels(shared):
    assert shared.count(0, 100).outcome is HANDLED
    assert shared.count(0, 100_000, user=True).outcome is HANDLED


def test_cpuid_shows_kvm_and_the_vcpus_own_number(shared):
    _, *signature = shared.cpuid(0, 0x40000000)
    assert b"".join(word.to_bytes(4, "little") for word in signature) == b"KVMKVMKVM\0\0\0"
    assert [shared.cpuid(cpu, 1)[1] >> 24 for cpu in (0, 1)] == [0, 1]


def test_unbacked_memory_reads_as_ones_and_takes_no_store(shared):
    load = shared.load(0, RAM, 4)
    assert load.data == b"\xff" * 4
    assert load.exits == (MmioExit(False, RAM, bytes(4)),)
    assert shared.store(0, RAM, b"gone").exits == (MmioExit(True, RAM, b"gone"),)
    assert shared.load(0, RAM - 2, 2).exits == ()


def test_memory_above_4_gib():
    high = 5 << 30
    with Guest(ram=((0, RAM), (high, RAM))) as guest:
        assert guest.store(0, high + 0x1234, b"far away").exits == ()
        assert guest.memory.read(high + 0x1234, 8) == b"far away"
        guest.wrmsr(0, SYSTEM_TIME_NEW, high + 0x2001)
        assert guest.memory.read(high + 0x2000, 32) != bytes(32)


def test_addresses_the_stubs_cannot_reach_are_a_clear_error(shared):
    for gpa, size in ((STUB_GPA, 1), (STUB_GPA - 1, 2), (-1, 1), (0, 0)):
        with pytest.raises(WorkbenchError, match="allowed: 1 byte or more below gpa 0xf00000000"):
            shared.load(0, gpa, size)


def test_vcpu_that_does_not_exist(shared):
    with pytest.raises(WorkbenchError, match="vCPU 2 does not exist; this guest has 0 to 1"):
        shared.nop(2)
    with pytest.raises(WorkbenchError, match="0 vCPUs: 1 to"):
        Guest(0)


def test_triple_fault_is_a_shutdown_and_the_vcpu_can_go_on(shared):
    shared.wrmsr(0, SYSTEM_TIME_NEW, 0x9001)
    assert shared.triple_fault(0).exits == (Shutdown(),)
    assert shared.rdmsr(0, SYSTEM_TIME_NEW).value == 0x9001
    shared.wrmsr(0, SYSTEM_TIME_NEW, 0)


def test_hlt_without_interrupt_controller_exits():
    with Guest(lapic=False) as guest:
        assert guest.halt(0).exits == (Hlt(),)
        assert guest.nop(0).outcome is HANDLED


@pytest.mark.parametrize("step", ["spin", "halt"])
def test_guest_that_never_comes_back_is_stopped(step):
    with Guest(2, limit=0.5) as guest:
        with pytest.raises(EngineError, match=rf"^kvm: guest did not come back within 0.5 s \(vCPU 1, step {step}\)"):
            getattr(guest, step)(1)
        assert guest.nop(0).outcome is HANDLED
        guest.prepare(1)
        assert guest.wrmsr(1, STEAL_TIME, 0x1001).outcome is HANDLED


def test_two_vcpus_run_at_the_same_time():
    with Guest(2, limit=0.5) as guest:
        spinning = guest.submit(0, lambda: guest.spin(0))
        assert guest.call(1, lambda: [guest.nop(1).outcome for _ in range(100)]) == [HANDLED] * 100
        with pytest.raises(EngineError, match="vCPU 0, step spin"):
            spinning.result()


def test_without_sync_regs_the_same_answers(monkeypatch):
    monkeypatch.setattr("workbench.engines.kvm.api.vcpu.check_extension", lambda fd, capability: 0)
    with Guest(deflect={REGISTER_MEM_AREA}, on_msr_exit=lambda cpu, access: MsrAnswer(data=77)) as guest:
        assert not guest.vcpu(0).sync_regs
        assert guest.rdmsr(0, REGISTER_MEM_AREA).value == 77
        assert guest.wrmsr(0, POLL_CONTROL, 2).outcome is FAULT
        assert guest.store(0, 0x1000, b"12345678").outcome is HANDLED
        assert guest.load(0, 0x1000, 8).data == b"12345678"
        assert guest.cpuid(0, 0x40000000)[1] == int.from_bytes(b"KVMK", "little")
