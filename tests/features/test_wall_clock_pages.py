"""A wall clock across the end of memory: KVM writes page by page, so what fits is written (seen on Linux 6.18)."""

import pytest

from workbench.core.memory import PAGE_SIZE
from workbench.features import FEATURES

from .stepping import moment, on_host, world

SIZE = 12
END = 2 * PAGE_SIZE  # of the two pages of a world


def written(gpa):
    """Return what is at ``gpa`` up to the end of memory after one update."""
    machine = world()
    on_host(machine, FEATURES["wall_clock"].update(0, gpa, moment(5_000)))
    return machine.memory.load(gpa, min(SIZE, END - gpa))


@pytest.mark.parametrize("fits", range(4, SIZE + 1))
def test_what_fits_is_written(fits):
    whole = written(0x100)
    assert whole[:4] == b"\2\0\0\0"
    assert 0 not in whole[4:8], "the seconds must not look like memory that was not written"
    assert written(END - fits) == whole[:fits]


@pytest.mark.parametrize("fits", range(1, 4))
def test_without_room_for_the_version_nothing_is(fits):
    assert written(END - fits) == bytes(fits)


@pytest.mark.parametrize("split", range(1, SIZE))
def test_a_page_end_in_the_middle_of_memory_changes_nothing(split):
    assert written(PAGE_SIZE - split) == written(0x100)
