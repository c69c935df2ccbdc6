"""Memslots, their logs, and what is told of an access outside them."""

import pytest

from workbench.core.memory import GPA_LIMIT, PAGE_SIZE, GuestMemory
from workbench.core.steps import GUEST, KERNEL, USER
from workbench.errors import GuestMemoryError


@pytest.mark.parametrize(
    ("gpa", "size"),
    [(-PAGE_SIZE, PAGE_SIZE), (0, 0), (0, -PAGE_SIZE), (1, PAGE_SIZE), (0, 100), (GPA_LIMIT, PAGE_SIZE)],
)
def test_a_memslot_is_whole_pages_within_64_bits(gpa, size):
    memory = GuestMemory()
    with pytest.raises(GuestMemoryError) as error:
        memory.add(gpa, size)
    assert str(error.value) == (
        f"memslot {gpa:#x} with {size:#x} bytes: address and size must be multiples of 0x1000, "
        "the size positive, the end below 2^64"
    )
    assert memory.slots == ()


def test_the_error_of_an_access_outside_names_all_memslots():
    memory = GuestMemory()
    memory.add(0x4000, 0x1000, readonly=True)
    memory.add(0, 0x2000)
    with pytest.raises(GuestMemoryError) as error:
        memory.load(0x1FFC, 8)
    assert str(error.value) == (
        "load of 8 bytes at gpa 0x1ffc is not inside guest memory; memslots: 0x0..0x2000, 0x4000..0x5000 (read-only)"
    )


def test_the_error_of_an_access_without_any_memslot_says_so():
    with pytest.raises(GuestMemoryError) as error:
        GuestMemory().store(0x10, b"x")
    assert str(error.value) == "store of 1 bytes at gpa 0x10 is not inside guest memory; memslots: none"


def test_a_refused_move_changes_nothing():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    memory.add(0x4000, PAGE_SIZE)
    memory.store(0x10, b"here")
    with pytest.raises(GuestMemoryError) as error:
        memory.move(0, 0x4000)
    assert str(error.value) == "memslot 0x4000..0x5000 overlaps memslot 0x4000..0x5000"
    assert memory.load(0x10, 4) == b"here"
    assert memory.dirty_log(0) == [0]
    assert [slot.gpa for slot in memory.slots] == [0, 0x4000]


def test_a_memslot_may_move_onto_part_of_itself():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    memory.store(PAGE_SIZE, b"second page")
    memory.move(0, PAGE_SIZE)
    assert memory.load(2 * PAGE_SIZE, 11) == b"second page"
    assert memory.load(PAGE_SIZE, 11) == bytes(11)


def test_a_refused_write_writes_no_part_of_its_data():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    assert memory.poke(PAGE_SIZE - 4, b"12345678", KERNEL) is False
    assert memory.load(PAGE_SIZE - 4, 4) == bytes(4)
    assert memory.dirty_log(0) == []


def test_reading_the_dirty_log_clears_it_for_that_memslot_only():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    memory.add(0x4000, PAGE_SIZE)
    memory.store(PAGE_SIZE - 1, b"ab")  # one store, two pages
    memory.poke(0x4000, b"c", KERNEL)
    assert memory.dirty_log(0) == [0, PAGE_SIZE]
    assert memory.dirty_log(0) == []
    assert memory.dirty_log(0x4000) == [0x4000]


def test_writes_of_the_vmm_are_in_a_log_of_their_own():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    assert memory.poke(PAGE_SIZE, b"result", USER)
    assert memory.dirty_log(0) == []
    assert memory.vmm_dirty() == [PAGE_SIZE]
    assert memory.vmm_dirty() == []


def test_a_memslot_without_log_records_nothing():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE, log_dirty=False)
    memory.store(0, b"x")
    assert memory.dirty_log(0) == []


def test_a_page_shared_and_never_written_is_private_after_its_memslot_was_replaced():
    memory = GuestMemory(encrypted=True)
    memory.add(0, PAGE_SIZE)
    memory.share(0, 1, shared=True)
    memory.delete(0)
    memory.add(0, PAGE_SIZE)
    assert memory.peek(0, 1, KERNEL) is None


def test_a_read_of_negative_size_is_outside_guest_memory():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    with pytest.raises(GuestMemoryError) as error:
        memory.load(0, -1)
    assert str(error.value) == "load of -1 bytes at gpa 0x0 is not inside guest memory; memslots: 0x0..0x1000"


def test_both_logs_follow_a_memslot_that_moves():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    memory.poke(0, b"vmm", USER)
    memory.poke(PAGE_SIZE, b"kvm", KERNEL)
    memory.move(0, 0x10000)
    assert memory.vmm_dirty() == [0x10000]
    assert memory.dirty_log(0x10000) == [0x11000]


def test_neither_log_contains_pages_of_a_deleted_memslot():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    memory.add(0x4000, PAGE_SIZE)
    for gpa in (0, 0x4000):
        memory.poke(gpa, b"vmm", USER)
    memory.delete(0)
    assert memory.vmm_dirty() == [0x4000]


def test_a_moved_memslot_is_private_at_its_new_address():
    memory = GuestMemory(encrypted=True)
    memory.add(0, PAGE_SIZE)
    memory.share(0, PAGE_SIZE, shared=True)
    memory.move(0, 0x4000)
    assert memory.peek(0x4000, 1, KERNEL) is None
    assert memory.shared_pages == 0


def test_every_change_of_the_layout_is_counted_once():
    memory = GuestMemory()
    seen = [memory.generation]
    memory.add(0, PAGE_SIZE)
    seen.append(memory.generation)
    memory.set_readonly(0, True)
    seen.append(memory.generation)
    memory.delete(0)
    seen.append(memory.generation)
    assert seen == [0, 1, 2, 3]
    memory.add(0, PAGE_SIZE)
    memory.move(0, 2 * PAGE_SIZE)
    assert memory.generation > 4


def test_single_bytes_of_the_first_page_can_be_stored_and_loaded():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    memory.store(0, b"\x01\x02")
    memory.store(PAGE_SIZE - 1, b"\x03")
    assert [memory.load(gpa, 1) for gpa in (0, 1, 2, PAGE_SIZE - 1)] == [b"\x01", b"\x02", b"\x00", b"\x03"]


def test_an_access_of_no_bytes_is_reachable_where_one_byte_is():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    for gpa, is_reachable in ((0, True), (PAGE_SIZE - 1, True), (PAGE_SIZE, False), (GPA_LIMIT, False)):
        assert memory.reachable(gpa, 0, GUEST) is memory.reachable(gpa, 1, GUEST) is is_reachable
