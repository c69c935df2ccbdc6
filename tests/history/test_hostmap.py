"""A mapping of one page reaches that page as it was, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.driver import host_side
from workbench.core.machine import Machine
from workbench.core.memory import PAGE_SIZE
from workbench.core.vcpu import Vcpu
from workbench.history.hostmap import map_page, mapping, move_page, store
from workbench.history.properties import FOREIGN

BASE = 4 * PAGE_SIZE


@pytest.fixture
def machine():
    return with_two_pages()


def with_two_pages():
    found = Machine((Vcpu(0),))
    found.memory.add(BASE, 2 * PAGE_SIZE)
    return found


def mapped(machine, gpa=BASE):
    assert machine.run(0, host_side(map_page(0, "x", gpa)))
    return machine.entries[mapping(0, "x")]


def is_foreign(machine):
    return bool(machine.notes.get(FOREIGN))


@given(offset=st.integers(0, PAGE_SIZE - 1), size=st.integers(1, 64))
def test_what_fits_is_written_and_the_rest_is_foreign(offset, size):
    machine = with_two_pages()
    machine.run(0, host_side(store(mapped(machine), BASE + offset, b"\xaa" * size)))
    inside = min(size, PAGE_SIZE - offset)
    assert machine.memory.load(BASE, 2 * PAGE_SIZE).count(0xAA) == inside
    assert machine.memory.load(BASE + offset, inside) == b"\xaa" * inside
    assert is_foreign(machine) == (size > inside)


def test_a_page_that_was_moved_is_foreign_until_it_is_mapped_again(machine):
    before = mapped(machine)
    machine.run(0, host_side(move_page(BASE // PAGE_SIZE)))
    again = mapped(machine)
    machine.run(0, host_side(store(again, BASE, b"new")))
    assert not is_foreign(machine)
    machine.run(0, host_side(store(before, BASE, b"old")))
    assert is_foreign(machine)
    assert machine.memory.load(BASE, 3) == b"new"


def test_a_page_without_memslot_is_foreign_and_cannot_be_mapped(machine):
    before = mapped(machine)
    machine.memory.delete(BASE)
    machine.run(0, host_side(store(before, BASE, b"old")))
    assert is_foreign(machine)
    assert not machine.run(0, host_side(map_page(0, "x", BASE)))
    assert mapping(0, "x") not in machine.entries
