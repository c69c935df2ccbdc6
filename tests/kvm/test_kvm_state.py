"""Migration between two VMs of one process: what still works after restoring only the MSR list, and what is lost."""

import struct
from dataclasses import replace

import pytest
from pv_msrs import (
    ASYNC_PF_EN,
    ASYNC_PF_INT,
    PV_EOI_EN,
    REGISTER_MEM_AREA,
    STEAL_TIME,
    SYSTEM_TIME,
    WALL_CLOCK,
)

from workbench.core.outcome import HANDLED
from workbench.engines.kvm import state
from workbench.engines.kvm.guest.exit_answers import MsrAnswer
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import WorkbenchError

pytestmark = pytest.mark.kvm
STEAL, CLOCK, WALL, EOI, APF = 0x3000, 0x4000, 0x5000, 0x6000, 0x7000
OLD = 3_600 * 10**9  # the clock of a guest that has run for an hour
KVM_CLOCK_REALTIME = 1 << 2
REGISTERED = {
    SYSTEM_TIME: CLOCK | 1,
    WALL_CLOCK: WALL,
    ASYNC_PF_INT: 0xF3,
    ASYNC_PF_EN: APF | 9,
    PV_EOI_EN: EOI | 1,
    STEAL_TIME: STEAL | 1,
}


def u32(guest, gpa):
    return struct.unpack("<I", guest.memory.read(gpa, 4))[0]


def system_time(guest):
    """Return the nanoseconds in the kvmclock payload: the VM's clock when it was last written."""
    return struct.unpack("<Q", guest.memory.read(CLOCK + 16, 8))[0]


def wall_clock_error(guest):
    """Return by how many ns boot time (the payload) plus the VM's clock differ from the host's time now."""
    now = guest.vm.get_clock()
    if not now.flags & KVM_CLOCK_REALTIME:
        pytest.skip("this KVM reads clock and real time at different moments (no stable TSC)")
    _, seconds, nanoseconds = struct.unpack("<III", guest.memory.read(WALL, 12))
    return seconds * 10**9 + nanoseconds + now.clock - now.realtime


def register_all(guest):
    for msr, value in REGISTERED.items():
        assert guest.wrmsr(0, msr, value).outcome is HANDLED
    guest.nop(0)


def move_memory(source, target):
    copy = state.MemoryCopy(source.memory, target.memory)
    copy.everything()
    source.nop(0)
    copy.dirty()
    copy.stop()


def test_registrations_go_on_with_nothing_but_the_msr_list():
    with Guest() as source, Guest() as target:
        register_all(source)
        source.store(0, 0x9000, b"program data")
        move_memory(source, target)
        before = {gpa: u32(target, gpa) for gpa in (STEAL + 8, CLOCK, WALL)}
        saved = state.save(source)
        assert state.load(target, saved) == (state.Loaded((), ()),)
        target.nop(0)
        target.nop(0)
        assert [target.rdmsr(0, msr).value for msr in REGISTERED] == list(REGISTERED.values())
        for gpa, version in before.items():
            assert u32(target, gpa) > version
            assert u32(target, gpa) % 2 == 0
        assert target.load(0, 0x9000, 12).data == b"program data"
        assert target.memory.read(CLOCK + 29, 1)[0] & 2  # KVM_KVMCLOCK_CTRL told the guest


@pytest.mark.parametrize("set_clock", [True, False])
def test_kvmclock_goes_on_only_if_the_clock_is_set(set_clock):
    with Guest() as source, Guest() as target:
        register_all(source)
        source.vm.set_clock(OLD)
        move_memory(source, target)
        state.load(target, state.save(source), set_clock=set_clock)
        target.nop(0)
        assert (system_time(target) >= OLD) == set_clock


def test_wall_clock_plus_clock_is_the_hosts_realtime_if_the_clock_comes_first():
    with Guest() as source, Guest() as target:
        register_all(source)
        move_memory(source, target)
        state.load(target, state.save(source))
        assert abs(wall_clock_error(target)) < 10**7


def test_clock_set_last_leaves_a_wall_clock_of_the_new_vms_age():
    with Guest() as source, Guest() as target:
        register_all(source)
        source.vm.set_clock(OLD)
        move_memory(source, target)
        state.load(target, state.save(source), clock_first=False)
        assert wall_clock_error(target) > OLD // 2


def test_without_the_pv_msrs_payloads_freeze():
    with Guest() as source, Guest() as target:
        register_all(source)
        move_memory(source, target)
        saved = state.save(source)
        before = target.memory.read(STEAL, 0x3000)
        bare = tuple(replace(one, pv_msrs=()) for one in saved.vcpus)
        state.load(target, state.GuestState(saved.clock, bare))
        target.nop(0)
        assert target.memory.read(STEAL, 0x3000) == before


def test_generic_registrations_are_lost_unless_the_vmm_carries_them():
    def host(registry):
        def on_msr_exit(cpu, access):
            registry[cpu] = access.data
            return MsrAnswer()

        return on_msr_exit

    here, there = {}, {}
    deflect = {REGISTER_MEM_AREA}
    with (
        Guest(deflect=deflect, on_msr_exit=host(here)) as source,
        Guest(deflect=deflect, on_msr_exit=host(there)) as target,
    ):
        source.wrmsr(0, REGISTER_MEM_AREA, STEAL | 1)
        move_memory(source, target)
        saved = state.save(source)
        assert REGISTER_MEM_AREA not in dict(saved.vcpus[0].pv_msrs)
        assert REGISTER_MEM_AREA not in dict(saved.vcpus[0].machine_msrs)
        state.load(target, saved)
        target.nop(0)
        assert (here, there) == ({0: STEAL | 1}, {})
        assert target.memory.read(STEAL, 64) == bytes(64)  # nor did KVM's own steal time start


def test_rejected_register_stops_the_list_and_is_reported():
    with Guest() as source, Guest(ram=((0, 0x6000),)) as target:
        register_all(source)
        saved = state.save(source)
        (loaded,) = state.load(target, saved)  # no memory at 0x7000: ASYNC_PF_EN is rejected
        assert loaded.refused == (ASYNC_PF_EN,)
        assert loaded.lost == (PV_EOI_EN, STEAL_TIME, 0x4B564D05)
        assert target.vcpu(0).get_msrs([SYSTEM_TIME, STEAL_TIME]) == [CLOCK | 1, 0]


def test_each_vcpu_keeps_its_own_state():
    with Guest(3) as source, Guest(3) as target:
        for cpu in range(3):
            source.wrmsr(cpu, STEAL_TIME, 0x8001 + 64 * cpu)
        state.load(target, state.save(source))
        assert [target.rdmsr(cpu, STEAL_TIME).value for cpu in range(3)] == [0x8001, 0x8041, 0x8081]
        assert [target.cpuid(cpu, 1)[1] >> 24 for cpu in range(3)] == [0, 1, 2]
        with Guest(2) as smaller, pytest.raises(WorkbenchError, match="3 vCPUs does not fit a guest of 2"):
            state.load(smaller, state.save(source))


def test_rounds_copy_what_was_written_since_and_no_more():
    with Guest() as source, Guest() as target:
        copy = state.MemoryCopy(source.memory, target.memory)
        assert copy.everything() == 512
        assert copy.dirty() == 0
        source.store(0, 0x1FFE, b"abcd")
        source.memory.write(0x9000, b"host")
        assert copy.dirty() == 3
        assert target.memory.read(0x1FFE, 4) == b"abcd"
        assert target.memory.read(0x9000, 4) == b"host"
        source.memory.write(0xA000, b"forgotten")
        assert copy.dirty(host_writes=False) == 0
        assert target.memory.read(0xA000, 9) == bytes(9)


def test_readonly_memory_is_copied():
    with Guest() as source, Guest() as target:
        source.memory.write(0, b"rom")
        for guest in (source, target):
            guest.memory.set_readonly(0, True)
        state.MemoryCopy(source.memory, target.memory).everything()
        assert target.memory.read(0, 3) == b"rom"
