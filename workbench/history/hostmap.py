"""A host that made a mapping once and writes through it: what such a write reaches.

A mapping is one page of the guest as it was backed when it was made. Through it the host reaches that page and no
other; once the page is gone from the guest (its memslot deleted, its content moved to another frame by the host), the
mapping leads to memory that has another owner by now. Whatever does so is marked FOREIGN.
"""

from workbench.core.host_state import VM, Key
from workbench.core.memory import PAGE_SIZE
from workbench.core.steps import Backed, Get, Note, Program, Set, Store
from workbench.history.properties import FOREIGN


def mapping(cpu: int, feature: str) -> Key:
    """The page that the host has mapped for an area (value: (page number, frame))."""
    return Key("mapping", cpu, feature)


def frame(page: int) -> Key:
    """How often the host has moved the content of this guest page to another frame (absent: never)."""
    return Key("frame", VM, page)


def map_page(cpu: int, feature: str, gpa: int) -> Program:
    """Host: map the page of ``gpa``; return whether there was one. What was mapped before is let go."""
    page = gpa // PAGE_SIZE
    present: bool = yield Backed(page * PAGE_SIZE, PAGE_SIZE)
    yield Set(mapping(cpu, feature), (page, (yield Get(frame(page))) or 0) if present else None)
    return present


def store(mapped: tuple[int, int], gpa: int, data: bytes) -> Program:
    """Host: write ``data`` through a mapping; ``gpa`` says where in its page."""
    page, was = mapped
    present = yield Backed(page * PAGE_SIZE, PAGE_SIZE)
    moved = (yield Get(frame(page))) or 0
    if not present or moved != was:
        yield Note(FOREIGN, True)
        return
    inside = min(len(data), PAGE_SIZE - gpa % PAGE_SIZE)
    yield Store(gpa, data[:inside])
    if inside < len(data):
        yield Note(FOREIGN, True)


def move_page(page: int) -> Program:
    """Host: its memory management moves a page of the guest to another frame (compaction, NUMA balancing)."""
    yield Set(frame(page), ((yield Get(frame(page))) or 0) + 1)
