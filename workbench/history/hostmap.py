"""A host that maps a guest page once and keeps writing through the mapping: which memory a write reaches.

A mapping is one page of the guest, as it was backed when it was made. Through it the host reaches only that page; once
the guest has lost the page (its memslot was deleted, or the host moved its content to another frame), the mapping
leads to memory that has another owner by now. A write to such memory is marked FOREIGN.
"""

from typing import Any

from workbench.core.host_state import VM, Key
from workbench.core.memory import PAGE_SIZE
from workbench.core.relay import relayed
from workbench.core.steps import Backed, Get, MarkDirty, Note, Program, Set, Store, StoreMapped
from workbench.core.transition import encode
from workbench.history.properties import FOREIGN


def mapping(cpu: int, feature: str) -> Key:
    """The key of the page that the host has mapped for an area (value: (page number, frame))."""
    return Key("mapping", cpu, feature)


def frame(page: int) -> Key:
    """The key that counts how often the host has moved this guest page to another frame (absent: never)."""
    return Key("frame", VM, page)


def map_page(cpu: int, feature: str, gpa: int) -> Program:
    """Host: map the page of ``gpa``; return whether there is one. The page mapped before is released."""
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


def unlogged(program: Program, *, marks: bool) -> Program:
    """Host: run a handler whose stores go through mappings, which no log sees; ``marks``: it then marks them dirty."""

    def through_mapping(step: Any) -> Program:
        if type(step) is not Store:
            return (yield step)
        done = yield StoreMapped(*step)
        if done and marks:
            yield MarkDirty(step.gpa, len(encode(step)))
        return done

    return relayed(program, through_mapping)


def move_page(page: int) -> Program:
    """Host: move a page of the guest to another frame, as memory management does (compaction, NUMA balancing)."""
    yield Set(frame(page), ((yield Get(frame(page))) or 0) + 1)
