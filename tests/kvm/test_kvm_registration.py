"""Both protocols on real KVM: what user space sees, what INIT clears, what CPUID decides."""

import os
import struct
from functools import partial

import pytest
from pv_msrs import (
    ASYNC_PF_ACK,
    ASYNC_PF_EN,
    ASYNC_PF_INT,
    CLOCKSOURCE,
    CLOCKSOURCE2,
    FEATURE_STEAL_TIME,
    MIGRATION_CONTROL,
    POLL_CONTROL,
    PV_EOI_EN,
    REGISTER_MEM_AREA,
    STEAL_TIME,
    SYSTEM_TIME,
    SYSTEM_TIME_NEW,
    WALL_CLOCK_NEW,
)

from workbench.core.outcome import FAULT, HANDLED
from workbench.engines.kvm.api import cpuid
from workbench.engines.kvm.api.exits import MsrExit, MsrReason
from workbench.engines.kvm.api.vcpu import MP_INIT_RECEIVED, MP_RUNNABLE, MP_UNINITIALIZED
from workbench.engines.kvm.guest.exit_answers import MsrAnswer
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import EngineError, WorkbenchError

pytestmark = pytest.mark.kvm

PER_FEATURE = [
    (SYSTEM_TIME_NEW, 0x3001),
    (WALL_CLOCK_NEW, 0x4000),
    (ASYNC_PF_INT, 0xF3),
    (ASYNC_PF_EN, 0x5009),
    (PV_EOI_EN, 0x6001),
    (STEAL_TIME, 0x7001),
    (POLL_CONTROL, 0),
]


def test_generic_registration_costs_one_user_exit_and_per_feature_none():
    answered = []

    def on_msr_exit(cpu, access):
        base, size, kind = struct.unpack("<QII", guest.memory.read(access.data, 16))
        guest.memory.write(access.data + 16, b"\1")
        answered.append((cpu, base, size, kind))
        return MsrAnswer()

    with Guest(2, deflect={REGISTER_MEM_AREA}, on_msr_exit=on_msr_exit) as guest:
        for cpu in range(2):
            guest.store(cpu, 0x2000 + 24 * cpu, struct.pack("<QIIB7x", 0x9000 + cpu, 64, 3, 0))
            result = guest.wrmsr(cpu, REGISTER_MEM_AREA, 0x2000 + 24 * cpu)
            access = MsrExit(True, MsrReason.FILTER, REGISTER_MEM_AREA, 0x2000 + 24 * cpu)
            assert result == (HANDLED, (access,), 0, b"")
            assert guest.load(cpu, 0x2000 + 24 * cpu + 16, 1).data == b"\1"
        assert answered == [(0, 0x9000, 64, 3), (1, 0x9001, 64, 3)]
        for msr, value in PER_FEATURE:
            if msr != STEAL_TIME:
                assert guest.wrmsr(0, msr, value) == (HANDLED, (), 0, b"")


def test_four_vcpus_register_at_the_same_time_under_both_protocols():
    registry = {}

    def on_msr_exit(cpu, access):
        registry[cpu] = access.data
        return MsrAnswer()

    def boot(cpu):
        guest.store(cpu, 0x2000 + 24 * cpu, struct.pack("<QIIB7x", 0x10000 + 64 * cpu, 64, 1, 0))
        generic = guest.wrmsr(cpu, REGISTER_MEM_AREA, 0x2000 + 24 * cpu)
        clock = guest.wrmsr(cpu, SYSTEM_TIME_NEW, 0x20001 + 64 * cpu)
        return len(generic.exits), len(clock.exits)

    with Guest(4, deflect={REGISTER_MEM_AREA}, on_msr_exit=on_msr_exit) as guest:
        boots = [guest.submit(cpu, partial(boot, cpu)) for cpu in range(4)]
        assert [pending.result() for pending in boots] == [(1, 0)] * 4
        assert registry == {cpu: 0x2000 + 24 * cpu for cpu in range(4)}
        for cpu in range(4):
            assert guest.memory.read(0x20000 + 64 * cpu, 32) != bytes(32)


def test_per_feature_registration_never_leaves_the_kernel():
    with Guest() as guest:
        assert [guest.wrmsr(0, *pair) for pair in PER_FEATURE] == [(HANDLED, (), 0, b"")] * len(PER_FEATURE)


def test_deflection_is_complete_for_the_guest_and_absent_for_the_host():
    with Guest(deflect={STEAL_TIME}, on_msr_exit=lambda cpu, access: MsrAnswer()) as guest:
        guest.wrmsr(0, STEAL_TIME, 0x3001)
        guest.nop(0)
        assert guest.vcpu(0).get_msrs([STEAL_TIME]) == [0]
        assert guest.memory.read(0x3000, 64) == bytes(64)
        assert guest.vcpu(0).set_msrs({STEAL_TIME: 0x3001}) == 1  # behind the filter's back
        guest.nop(0)
        assert guest.memory.read(0x3008, 4) != bytes(4)


def test_unanswered_deflection_is_a_fault():
    with Guest(deflect={STEAL_TIME}) as guest:
        assert guest.wrmsr(0, STEAL_TIME, 0x3001).outcome is FAULT
        assert guest.rdmsr(0, STEAL_TIME).outcome is FAULT


def test_cleared_filter_returns_the_register_to_kvm():
    with Guest(deflect={STEAL_TIME}) as guest:
        guest.vm.deflect(())
        assert guest.wrmsr(0, STEAL_TIME, 0x3001) == (HANDLED, (), 0, b"")
        assert guest.rdmsr(0, STEAL_TIME).value == 0x3001


def test_neighbours_of_a_deflected_register_stay_kvms():
    with Guest(deflect={SYSTEM_TIME_NEW, PV_EOI_EN, 0x12}) as guest:
        for msr, outcome in ((SYSTEM_TIME_NEW, FAULT), (SYSTEM_TIME, FAULT), (PV_EOI_EN, FAULT)):
            assert guest.wrmsr(0, msr, 0).outcome is outcome
        for msr in (WALL_CLOCK_NEW, ASYNC_PF_EN, STEAL_TIME, 0x11):
            assert guest.wrmsr(0, msr, 0) == (HANDLED, (), 0, b"")


def test_writes_alone_can_be_deflected():
    with Guest() as guest:
        guest.vm.deflect({STEAL_TIME}, read=False)
        assert guest.wrmsr(0, STEAL_TIME, 0x3001).outcome is FAULT
        assert guest.rdmsr(0, STEAL_TIME) == (HANDLED, (), 0, b"")


def test_mask_makes_kvms_own_refusals_visible():
    with Guest() as guest:
        guest.vm.deflect({PV_EOI_EN}, mask=7)
        seen = [guest.wrmsr(0, *pair).exits[0].reason for pair in ((STEAL_TIME, 2), (0x4B564D20, 0), (PV_EOI_EN, 0))]
        assert seen == [MsrReason.INVAL, MsrReason.UNKNOWN, MsrReason.FILTER]


def test_too_many_places_for_one_filter():
    with Guest() as guest, pytest.raises(WorkbenchError, match="17 places: KVM filters at most 16 ranges"):
        guest.vm.deflect(range(0, 17 << 20, 1 << 20))


def test_error_in_the_callback_reaches_the_caller_and_the_guest_goes_on():
    def fail(cpu, access):
        raise LookupError("the handler failed")

    with Guest(deflect={STEAL_TIME}, on_msr_exit=fail) as guest:
        with pytest.raises(LookupError, match="the handler failed"):
            guest.wrmsr(0, STEAL_TIME, 0)
        guest.answer_msrs_with(lambda cpu, access: MsrAnswer(data=5))
        assert guest.rdmsr(0, STEAL_TIME).value == 5


def test_a_vcpu_in_an_exit_cannot_execute_a_step_but_another_can():
    def reenter(cpu, access):
        assert guest.nop(1).outcome is HANDLED
        with pytest.raises(EngineError, match="vCPU 0 is waiting in an exit and cannot execute step nop"):
            guest.nop(0)
        return MsrAnswer()

    with Guest(2, deflect={STEAL_TIME}, on_msr_exit=reenter) as guest:
        assert guest.wrmsr(0, STEAL_TIME, 0).outcome is HANDLED


@pytest.mark.parametrize(("cpu", "state"), [(0, MP_RUNNABLE), (1, MP_INIT_RECEIVED)])
def test_init_clears_what_the_kernel_clears(cpu, state):
    with Guest(2) as guest:
        for msr, value in PER_FEATURE:
            assert guest.wrmsr(cpu, msr, value).outcome is HANDLED
        assert guest.init(cpu) == state
        after = guest.vcpu(cpu).get_msrs([msr for msr, _ in PER_FEATURE])
        kept = {WALL_CLOCK_NEW, POLL_CONTROL}
        assert after == [value if msr in kept else 0 for msr, value in PER_FEATURE]
        assert guest.wrmsr(cpu, STEAL_TIME, 0x8001).outcome is HANDLED  # the vCPU runs again


def test_init_stops_the_host_from_writing():
    with Guest() as guest:
        guest.wrmsr(0, STEAL_TIME, 0x3001)
        guest.init(0)
        guest.memory.write(0x3000, bytes(64))
        guest.nop(0)
        assert guest.memory.read(0x3000, 64) == bytes(64)


def test_a_register_reset_alone_leaves_the_host_writing_into_the_new_kernels_memory():
    with Guest() as guest:
        guest.wrmsr(0, STEAL_TIME, 0x3001)
        guest.prepare(0)
        guest.memory.write(0x3000, bytes(64))
        guest.nop(0)
        assert guest.memory.read(0x3008, 4) != bytes(4)


def test_mp_state_resets_no_register_and_an_uninitialized_vcpu_does_not_run():
    with Guest(2, limit=0.5) as guest:
        guest.wrmsr(1, STEAL_TIME, 0x3001)
        guest.call(1, lambda: guest.vcpu(1).set_mp_state(MP_UNINITIALIZED))
        with pytest.raises(EngineError, match=r"did not come back|waits for INIT and SIPI"):
            guest.nop(1)
        guest.prepare(1)
        assert guest.rdmsr(1, STEAL_TIME).value == 0x3001


def test_cpuid_gates_nothing_unless_enforced():
    with Guest(features=0) as guest:
        assert guest.cpuid(0, 0x40000001)[0] == 0
        assert guest.wrmsr(0, STEAL_TIME, 0x3001).outcome is HANDLED


FEATURE_OF = {
    SYSTEM_TIME: CLOCKSOURCE,
    SYSTEM_TIME_NEW: CLOCKSOURCE2,
    STEAL_TIME: FEATURE_STEAL_TIME,
    PV_EOI_EN: 1 << 6,
    POLL_CONTROL: 1 << 12,
    ASYNC_PF_EN: 1 << 4,
    ASYNC_PF_INT: 1 << 14,
}


@pytest.mark.parametrize("msr", FEATURE_OF, ids=hex)
def test_enforced_cpuid(msr):
    with Guest(features=0, enforce_cpuid=True) as guest:
        assert guest.wrmsr(0, msr, 0).outcome is FAULT
        assert guest.rdmsr(0, msr).outcome is FAULT
        assert guest.vcpu(0).get_msrs([msr]) == [0]
        assert guest.vcpu(0).set_msrs({msr: 0}) == 1
        assert guest.vcpu(0).set_msrs({msr: 1}) == 0
    with Guest(features=FEATURE_OF[msr], enforce_cpuid=True) as guest:
        assert guest.wrmsr(0, msr, 0).outcome is HANDLED
        assert guest.rdmsr(0, msr).outcome is HANDLED


def test_migration_control_is_nobodys_even_when_offered():
    with Guest(features=1 << 17, enforce_cpuid=True) as guest:
        assert guest.wrmsr(0, MIGRATION_CONTROL, 1).outcome is FAULT


def test_cpuid_entries_survive_packing():
    with Guest() as guest:
        entries = cpuid.for_vcpu(guest.cpuid_entries, 0)
        assert cpuid.unpack(cpuid.pack(entries)) == entries
        assert cpuid.pv_features(cpuid.with_pv_features(entries, 0x21)) == 0x21


def test_kvmclock_ctrl_tells_the_guest_it_was_stopped():
    with Guest() as guest:
        assert not guest.vcpu(0).kvmclock_ctrl()
        guest.wrmsr(0, SYSTEM_TIME_NEW, 0x3001)
        assert guest.vcpu(0).kvmclock_ctrl()
        guest.nop(0)
        assert guest.memory.read(0x3000 + 29, 1)[0] & 2  # PVCLOCK_GUEST_STOPPED


AREA, OUTSIDE, TOKEN = 0x400000, 0x900000, 0x400004


def token(guest):
    return int.from_bytes(guest.memory.read(TOKEN, 4), "little")


def test_an_area_of_async_page_faults_comes_back_after_a_refusal_when_memslots_change():
    """per_feature R10, R22: KVM keeps its address in the cache, and looks again."""
    with Guest(ram=((0, 0x200000), (AREA, 0x1000))) as guest:
        guest.wrmsr(0, ASYNC_PF_INT, 0xF3)
        guest.store(0, TOKEN, (5).to_bytes(4, "little"))  # the wake-all waits until this token is taken
        assert guest.wrmsr(0, ASYNC_PF_EN, AREA | 9).outcome is HANDLED
        assert guest.wrmsr(0, ASYNC_PF_EN, OUTSIDE | 9).outcome is FAULT
        assert guest.rdmsr(0, ASYNC_PF_EN).value == OUTSIDE | 9
        guest.store(0, TOKEN, bytes(4))
        guest.wrmsr(0, ASYNC_PF_ACK, 1)
        guest.nop(0)
        assert token(guest) == 0
        guest.memory.add(0x500000, 0x1000)
        guest.wrmsr(0, ASYNC_PF_ACK, 1)
        guest.nop(0)
        assert token(guest) == 0xFFFF_FFFF


def test_the_news_of_a_stop_is_forgotten_while_the_area_is_away():
    """Since Linux 6.15, and in the model; before, the news waited for an update that arrives."""
    release = tuple(int(number) for number in os.uname().release.split(".")[:2])
    with Guest(ram=((0, 0x200000), (AREA, 0x1000))) as guest:
        guest.wrmsr(0, SYSTEM_TIME_NEW, AREA | 1)
        (slot,) = (slot.slot for slot in guest.memory.slots if slot.gpa == AREA)
        guest.memory.delete(slot)
        assert guest.vcpu(0).kvmclock_ctrl()
        guest.nop(0)
        guest.memory.add(AREA, 0x1000)
        guest.vm.set_clock(guest.vm.get_clock().clock)
        guest.nop(0)
        assert guest.memory.read(AREA + 29, 1)[0] == (1 if release >= (6, 15) else 3)


def test_the_news_of_a_stop_waits_for_a_clock():
    with Guest() as guest:
        vcpu = guest.vcpu(0)
        vcpu.set_msrs({SYSTEM_TIME_NEW: 0x3001})
        assert vcpu.kvmclock_ctrl()
        vcpu.set_msrs({SYSTEM_TIME_NEW: 0})
        assert not vcpu.kvmclock_ctrl()
        guest.nop(0)
        vcpu.set_msrs({SYSTEM_TIME_NEW: 0x3001})
        guest.nop(0)
        assert guest.memory.read(0x3000 + 29, 1)[0] == 3
