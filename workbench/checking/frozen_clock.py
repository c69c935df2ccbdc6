"""A concrete machine whose clock does not advance, and the list of all payloads that a host can write on it.

Engines that interleave steps have no clock (see ``workbench.checking.environment``). With a fixed clock, a host can
write only a few different complete payloads, which can be listed; anything else that a guest accepts is torn.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from workbench.checking.environment import MOMENTS
from workbench.core.contracts import Feature
from workbench.core.driver import host_side
from workbench.core.host_state import VM, baseline, stop_news
from workbench.core.machine import Machine
from workbench.core.relay import relayed
from workbench.core.steps import GUEST, Moment, Program
from workbench.core.vcpu import Vcpu

#: The gpa at which payloads are written for the list, and the size of the memory in bytes.
PLACE, ROOM = 0x1_0000, 0x10_0000
#: More updates than any bounded search makes.
UPDATES = 8


class FrozenMachine(Machine):
    """A machine whose clock shows one moment on the first host, and another after it has moved."""

    moved = False

    def now(self) -> Moment:
        return MOMENTS[self.moved]


@cache
def prepared(feature: Feature) -> bytes:
    """Return the bytes of an area as the guest prepares it."""
    machine = _with_area(feature)
    found = machine.memory.peek(PLACE, feature.size)
    assert found is not None
    return found


@cache
def whole_readings(feature: Feature) -> frozenset[Any]:
    """Return all values of a payload that a guest can read between two updates, never in the middle of one.

    A running count may start again on another host, so each update is tried with and without its baseline, and the
    machine moves after every number of updates. All is read with and without the news that the guest was stopped.
    """
    found: set[Any] = set()
    for news in (False, True) if feature.stop_flag else (False,):
        for forgets in (False, True):
            for moves_after in range(UPDATES + 1):
                found.update(_readings(feature, forgets, moves_after, news))
    return frozenset(found)


def _readings(feature: Feature, forgets: bool, moves_after: int, news: bool) -> Iterator[Any]:
    machine = _with_area(feature)
    machine.set(stop_news(0, feature.name), news or None)
    yield _reading(machine, feature)
    for number in range(UPDATES):
        machine.moved = number >= moves_after
        if forgets or number == moves_after:
            machine.set(baseline(0, feature.name), None)
            machine.set(baseline(VM, feature.name), None)
        machine.run(0, host_side(feature.update(0, PLACE, machine.now())))
        yield _reading(machine, feature)


@cache
def can_be_read(feature: Feature, data: bytes) -> bool:
    """Tell whether a guest that reads an area with this content gets a payload, and is not told to wait."""
    machine = _with_area(feature)
    machine.memory.poke(PLACE, data)
    return _reading(machine, feature) is not None


def _with_area(feature: Feature) -> FrozenMachine:
    machine = FrozenMachine((Vcpu(0),))
    machine.memory.add(0, ROOM)
    machine.run(0, _as_guest(feature.prepare(PLACE)))
    return machine


def _reading(machine: FrozenMachine, feature: Feature) -> Any:
    """Read the payload as the guest would, and then undo what the reading changed in the area."""
    before = machine.memory.peek(PLACE, feature.size)
    found = machine.run(0, _as_guest(feature.read(PLACE)))
    assert before is not None
    machine.memory.poke(PLACE, before)
    return found


def _as_guest(program: Program) -> Program:
    def as_guest(step: Any) -> Program:
        return (yield GUEST, step)

    return relayed(program, as_guest)
