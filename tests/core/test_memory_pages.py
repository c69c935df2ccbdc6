"""Many pages of guest memory at once: the same as one after the other."""

import pytest

from workbench.core.memory import PAGE_SIZE, GuestMemory
from workbench.core.steps import GUEST, KERNEL, USER

FRAMES = range(2, 6)


def paged(log_dirty=True):
    memory = GuestMemory(encrypted=True)
    memory.add(0, PAGE_SIZE)
    memory.add(PAGE_SIZE, 7 * PAGE_SIZE, log_dirty=log_dirty)
    return memory


def test_rows_equal_a_load_of_each_page():
    memory = paged()
    assert memory.pages.rows(FRAMES, 16, 8) == [bytes(8)] * len(FRAMES)
    memory.store(3 * PAGE_SIZE + 16, b"in three")
    memory.store(7 * PAGE_SIZE + 16, b"in seven")
    assert memory.pages.rows(FRAMES, 16, 8) == [memory.load(frame * PAGE_SIZE + 16, 8) for frame in FRAMES]
    assert memory.pages.rows(FRAMES, 16, 8)[1] == b"in three"
    assert memory.pages.rows(FRAMES, 18, 2)[1] == b" t"


def test_open_pages_are_the_memory_itself():
    memory = paged()
    for page in memory.open(FRAMES):
        page[0:2] = b"me"
    assert [memory.load(frame * PAGE_SIZE, 3) for frame in FRAMES] == [b"me\0"] * len(FRAMES)
    assert memory.load(PAGE_SIZE, 2) == bytes(2)


@pytest.mark.parametrize("side", [GUEST, KERNEL, USER])
@pytest.mark.parametrize("log_dirty", [True, False])
def test_marked_pages_are_logged_as_written_pages_are(side, log_dirty):
    one, other = paged(log_dirty), paged(log_dirty)
    for memory in (one, other):
        memory.share(0, 8 * PAGE_SIZE, True)
    one.mark(FRAMES, side)
    for frame in FRAMES:
        assert other.poke(frame * PAGE_SIZE, b"x", side)
    logs = [(memory.dirty_log(0), memory.dirty_log(PAGE_SIZE), memory.vmm_dirty()) for memory in (one, other)]
    assert logs[0] == logs[1]
    assert any(logs[0]) is (log_dirty or side is USER)


def test_only_shared_pages_of_the_given_range_are_counted():
    memory = paged()
    memory.share(PAGE_SIZE, 2 * PAGE_SIZE, True)
    assert [memory.shared_among(frames) for frames in (FRAMES, range(8), range(3, 8))] == [1, 2, 0]
