"""A concrete machine with a frozen clock, which updates the ghosts for the slot that takes the step."""

from collections.abc import Hashable
from typing import Any

from workbench.checking.content import CONTENT_GHOSTS, OF_A_VCPU, ContentWatch
from workbench.checking.frozen_clock import FrozenMachine
from workbench.checking.ghosts import GHOST_KINDS, LEFT_BEHIND, was_area
from workbench.core.host_state import Key
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, Slot
from workbench.core.steps import GUEST, Exit, Side
from workbench.core.vcpu import Vcpu


class WatchedMachine(FrozenMachine):
    """A machine with its scenario's memslots; ``slot`` takes the present step, ``paused``: all vCPUs are stopped."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario.cpus, encrypted=scenario.encrypted, seed=scenario.seed)
        for region in scenario.memslots():
            self.memory.add(region.gpa, region.size)
        own = scenario.shared_from_start()
        if own.size:
            self.memory.share(own.gpa, own.size, True)
        self.ghosts: dict[Hashable, Any] = {LEFT_BEHIND: ()}
        self.ghosts |= dict.fromkeys(CONTENT_GHOSTS, ())
        self.ghosts |= {ghost(cpu): () for ghost in OF_A_VCPU for cpu in range(scenario.vcpus)}
        self.watch = ContentWatch(scenario, self._fact, self._put, self._unseen)
        self.slot: Slot = EVENT
        self.paused = False

    def ghost(self, name: Hashable) -> Any:
        """Return the value of a note or a ghost."""
        return self.ghosts.get(name) if name in self.ghosts else self.notes.get(name)

    def _fact(self, name: Hashable) -> Any:
        is_entry = isinstance(name, Key) and name.kind not in GHOST_KINDS
        return self.entries.get(name) if is_entry else self.ghost(name)

    def _unseen(self, gpa: int, size: int) -> bytes | None:
        return self.memory.peek(gpa, size, GUEST)

    def _put(self, name: Hashable, value: Any) -> None:
        if isinstance(name, Key):
            super().note(name, value)
        else:
            self.ghosts[name] = value

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        data = super().peek(gpa, size, side)
        if side is not GUEST and self.slot.serves_exits:
            private = data is None and self.memory.reachable(gpa, size, GUEST)
            self.watch.handler_read(self.slot.cpu, gpa, size, data, private)
        return data

    def poke(self, gpa: int, data: bytes, side: Side, *, logged: bool = True) -> bool:
        if side is not GUEST and self.backed(gpa, len(data), side):
            self.watch.host_writes(gpa, data)
            if self.slot.serves_exits:
                self.watch.handler_wrote(self.slot.cpu, gpa)
        done = super().poke(gpa, data, side, logged=logged)
        if done and side is not GUEST:
            self.watch.host_wrote(gpa, len(data), restoring=self.slot == EVENT and self.paused)
        return done

    def cover(self, gpa: int, side: Side) -> bool:
        done = super().cover(gpa, side)
        if done:
            self.watch.host_covered(gpa)
        return done

    def set(self, key: Hashable, value: Any) -> None:
        self.watch.host_sets(self.slot.cpu if self.slot.serves_exits else None, key, value)
        super().set(key, value)
        if isinstance(key, Key) and key.kind == "area" and value is not None:
            super().note(was_area(key), value)

    def note(self, key: Hashable, value: Any) -> None:
        super().note(key, value)
        if self.slot.serves_exits:
            self.watch.noted(self.slot.cpu, key, value)

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        self.watch.exited(cpu, step)
        self.watch.begins_call(cpu)
        return super().leave(cpu, step)
