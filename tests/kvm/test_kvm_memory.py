"""Memslots of a real VM: changes under a registration, dirty pages, and clear errors for the harness."""

import pytest
from pv_msrs import STEAL_TIME, SYSTEM_TIME_NEW, WALL_CLOCK_NEW

from workbench.core.outcome import HANDLED
from workbench.engines.kvm.api.exits import MmioExit
from workbench.engines.kvm.api.ioctl import KvmError
from workbench.engines.kvm.api.memory import Backing
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import GuestMemoryError, WorkbenchError

pytestmark = pytest.mark.kvm
LOW, HIGH = 0x200000, 0x400000  # slot 0: [0, 2 MiB), slot 1: [4 MiB, 4 MiB + 64 KiB)


@pytest.fixture
def guest():
    with Guest(ram=((0, LOW), (HIGH, 0x10000))) as made:
        yield made


def version(guest, gpa):
    return int.from_bytes(guest.memory.read(gpa, 4), "little")


def test_slot_goes_and_returns_under_a_registration(guest):
    guest.wrmsr(0, STEAL_TIME, HIGH + 0x1001)
    guest.nop(0)
    before = version(guest, HIGH + 0x1008)
    assert before
    backing = guest.memory.delete(1)
    assert guest.nop(0).outcome is HANDLED  # the guest is not notified
    assert guest.rdmsr(0, STEAL_TIME).value == HIGH + 0x1001
    assert int.from_bytes(backing.bytes[0x1008:0x100C], "little") == before
    guest.memory.add(HIGH, 0x10000, slot=1, backing=backing)
    guest.nop(0)
    guest.nop(0)
    assert version(guest, HIGH + 0x1008) > before


def test_slot_returns_with_new_memory(guest):
    guest.wrmsr(0, STEAL_TIME, HIGH + 0x1001)
    guest.wrmsr(0, SYSTEM_TIME_NEW, HIGH + 0x2001)
    guest.nop(0)
    guest.memory.delete(1)
    guest.nop(0)
    guest.memory.add(HIGH, 0x10000)
    guest.nop(0)
    guest.nop(0)
    assert version(guest, HIGH + 0x1008)  # steal time: at once
    guest.vm.set_clock(1_000_000)
    guest.nop(0)
    assert version(guest, HIGH + 0x2000)  # the clock: at its next update


def test_registering_into_the_hole_is_silent_and_becomes_active_with_the_slot(guest):
    guest.memory.delete(1)
    for msr, value in ((STEAL_TIME, HIGH + 0x1001), (WALL_CLOCK_NEW, HIGH + 0x2000)):
        assert guest.wrmsr(0, msr, value) == (HANDLED, (), 0, b"")
    guest.memory.add(HIGH, 0x10000)
    guest.nop(0)
    guest.nop(0)
    assert version(guest, HIGH + 0x1008)
    assert version(guest, HIGH + 0x2000) == 0  # the wall clock was written once, where there was no memory


def test_moved_slot_takes_its_content_along(guest):
    guest.store(0, HIGH + 0x10, b"contents")
    moved = guest.memory.move(1, HIGH + 0x100000)
    assert moved.gpa == HIGH + 0x100000
    assert guest.load(0, HIGH + 0x100010, 8).data == b"contents"
    assert guest.load(0, HIGH + 0x10, 8).data == b"\xff" * 8


def test_readonly_slot(guest):
    guest.memory.write(HIGH, b"constant")
    guest.memory.set_readonly(1, True)
    assert guest.store(0, HIGH, b"changed!").exits == (MmioExit(True, HIGH, b"changed!"),)
    assert guest.load(0, HIGH, 8) == (HANDLED, (), 0, b"constant")
    assert not guest.memory.backed(HIGH, 8)
    assert guest.memory.backed(HIGH, 8, writable=False)
    with pytest.raises(GuestMemoryError, match=r"write of 1 bytes at 0x400000: slot 1 .* is read-only"):
        guest.memory.write(HIGH, b"x")
    guest.memory.write(HIGH, b"C", through_readonly=True)
    guest.memory.set_readonly(1, False)
    assert guest.load(0, HIGH, 8).data == b"Constant"
    assert guest.store(0, HIGH, b"changed!").exits == ()


def test_dirty_log_tells_guest_kvm_and_host_apart(guest):
    guest.memory.log_dirty(0, True)
    guest.memory.dirty(0)
    guest.store(0, 0x5000, b"guest")
    guest.memory.write(0x6FFF, b"host")
    found = guest.memory.dirty(0)
    assert found.kvm == {5}
    assert found.host == {6, 7}
    assert found.all == {5, 6, 7}
    guest.wrmsr(0, SYSTEM_TIME_NEW, 0x8001)
    guest.vcpu(0).set_msrs({WALL_CLOCK_NEW: 0x9000})
    assert guest.memory.dirty(0).all == {8, 9}
    assert guest.memory.dirty(0).all == set()


def test_dirty_log_numbers_are_page_frames_of_the_gpa(guest):
    guest.memory.log_dirty(1, True)
    guest.memory.dirty(1)
    guest.store(0, HIGH + 0xF000, b"end")
    guest.memory.write(HIGH, b"start")
    found = guest.memory.dirty(1)
    assert (found.kvm, found.host) == ({0x40F}, {0x400})


def test_dirty_log_off_is_an_error_and_forgets_the_hosts_writes(guest):
    guest.memory.log_dirty(0, True)
    guest.memory.write(0, b"x")
    guest.memory.log_dirty(0, False)
    with pytest.raises(KvmError, match="KVM_GET_DIRTY_LOG failed: ENOENT"):
        guest.memory.dirty(0)
    guest.memory.log_dirty(0, True)
    assert guest.memory.dirty(0).host == set()


def test_a_deleted_slot_leaves_no_log_to_the_next_one_with_its_number(guest):
    guest.memory.log_dirty(1, True)
    guest.memory.write(HIGH + 0x3000, b"x")
    guest.memory.delete(1)
    made = guest.memory.add(HIGH, 0x1000, log_dirty=True)
    assert made.slot == 1
    assert guest.memory.dirty(1).all == set()


def test_manual_clear_keeps_reporting_until_cleared():
    with Guest(manual_dirty_log=True) as guest:
        guest.memory.log_dirty(0, True)
        guest.store(0, 0x5000, b"guest")
        assert guest.memory.dirty(0).kvm == {5}
        assert guest.memory.dirty(0).kvm == {5}
        guest.memory.clear_dirty(0)
        assert guest.memory.dirty(0).kvm == set()
        guest.store(0, 0x5000, b"again")
        assert guest.memory.dirty(0).kvm == {5}


def test_accesses_may_cross_into_the_neighbouring_slot(guest):
    guest.memory.add(LOW, 0x1000)
    guest.memory.write(LOW - 3, b"across")
    assert guest.memory.read(LOW - 3, 6) == b"across"
    assert guest.load(0, LOW - 3, 6).data == b"across"


def test_accesses_outside_every_slot_are_errors_and_write_nothing(guest):
    with pytest.raises(GuestMemoryError, match=r"gpa 0x200000 is in no memslot; there are: slot 0 \[0x0, 0x200000\)"):
        guest.memory.read(LOW - 4, 8)
    with pytest.raises(GuestMemoryError, match="0x200000"):
        guest.memory.write(LOW - 4, b"12345678")
    assert guest.memory.read(LOW - 4, 4) == bytes(4)
    assert not guest.memory.backed(LOW - 4, 8)
    assert guest.memory.backed(LOW - 4, 4)


def test_slot_mistakes_are_clear_errors(guest):
    memory = guest.memory
    with pytest.raises(WorkbenchError, match="at 0x10: the gpa must be a multiple of 0x1000"):
        memory.add(0x10, 0x1000)
    with pytest.raises(WorkbenchError, match="0x10 bytes: must be a positive multiple"):
        memory.add(0x800000, 0x10)
    with pytest.raises(WorkbenchError, match="memslot 1 exists"):
        memory.add(0x800000, 0x1000, slot=1)
    with pytest.raises(WorkbenchError, match="memslot 7 does not exist; there are: slot 0"):
        memory.delete(7)
    with pytest.raises(KvmError, match="KVM_SET_USER_MEMORY_REGION failed: EEXIST"):
        memory.add(HIGH + 0x1000, 0x1000)
    assert [slot.slot for slot in memory.slots][:2] == [0, 1]
    backing = Backing(0x1000)
    try:
        with pytest.raises(WorkbenchError, match="its backing has only 0x1000"):
            memory.add(0x800000, 0x2000, backing=backing)
    finally:
        backing.close()
