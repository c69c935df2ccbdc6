"""A concrete machine with a frozen clock, which updates the ghosts for the slot that takes the step."""

from collections.abc import Hashable
from typing import Any

from workbench.checking.frozen_clock import FrozenMachine
from workbench.checking.ghosts import LEFT_BEHIND, Watch, was_area
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
        self.watch = Watch(scenario, self.ghost, self._put)
        self.slot: Slot = EVENT
        self.paused = False

    def ghost(self, name: Hashable) -> Any:
        """Return the value of a note or a ghost."""
        return self.ghosts.get(name) if name in self.ghosts else self.notes.get(name)

    def _put(self, name: Hashable, value: Any) -> None:
        if isinstance(name, Key):
            self.note(name, value)
        else:
            self.ghosts[name] = value

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        data = super().peek(gpa, size, side)
        if side is not GUEST and self.slot.serves_exits:
            private = data is None and self.memory.reachable(gpa, size, GUEST)
            self.watch.handler_read(self.slot.cpu, gpa, size, data, private)
        return data

    def poke(self, gpa: int, data: bytes, side: Side) -> bool:
        done = super().poke(gpa, data, side)
        if done and side is not GUEST:
            self.watch.host_wrote(gpa, len(data), restoring=self.slot == EVENT and self.paused)
        return done

    def cover(self, gpa: int, side: Side) -> bool:
        done = super().cover(gpa, side)
        if done:
            self.watch.host_covered(gpa)
        return done

    def set(self, key: Hashable, value: Any) -> None:
        super().set(key, value)
        if isinstance(key, Key) and key.kind == "area" and value is not None:
            self.note(was_area(key), value)

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        self.watch.exited(cpu, step)
        return super().leave(cpu, step)
