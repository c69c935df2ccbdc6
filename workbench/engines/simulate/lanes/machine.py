"""Many vCPUs at once: the simulator's machine, seen from all lanes of a batch.

Vcpu records, addresses and the time are Lanes; the author's programs, the driver, the transition function and the
machine's own bookkeeping run unchanged, once. Only when the last program has ended, in as many steps as the vCPU
before the batch took, is anything written to the real machine. Before that it is untouched, so whoever meets
:class:`Diverged` runs the vCPUs one by one instead.

The time of lane ``i`` begins ``i`` times the steps of one lane after that of the first, as it would in turn.
"""

import gc
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cached_property, partial
from itertools import repeat
from operator import attrgetter
from typing import Any

from workbench.core.contracts import Protocol
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.steps import Side
from workbench.core.vcpu import Vcpu
from workbench.engines.simulate.lanes.state import LaneEntries, LaneMemory, lifted
from workbench.engines.simulate.lanes.values import Batch, Diverged

#: So many vCPUs that do the same are worth the trouble of running them at once.
FEWEST_LANES = 16

_SHARED = attrgetter(*(field.name for field in fields(Vcpu) if field.name not in ("index", "descriptor")))


class LaneMachine(Machine):
    """``count`` vCPUs from ``first`` on, each of which will take ``steps`` steps.

    A machine like any other, but for what it holds: entries, notes and memory are views of the real ones.
    """

    def __init__(self, real: Machine, first: int, count: int, steps: int, keys: "KeyColumns") -> None:
        self.real = real
        self.batch = Batch(count)
        self.steps = steps
        self.index: Any = self.batch.lane(first, 1)
        column = partial(keys.column, first, count)
        self.entries: Any = LaneEntries(real.entries, self.index, column)
        self.ever: Any = LaneEntries(real.ever, self.index, column)
        self.notes: Any = LaneEntries(real.notes, self.index, column)
        self.memory: Any = LaneMemory(real.memory, self.batch)
        self.counts = Counter()
        self.trace = None
        self.host_stores: list[tuple[Any, int, Side]] = []
        self.on_host_store = lambda *store: self.host_stores.append(store)
        self._start_ns = real._start_ns
        self._ticks = self.batch.lane(real._ticks, steps)
        self._kernel_exit = False

    @cached_property
    def cpus(self) -> dict[int, Vcpu]:  # type: ignore[override]
        """The record that stands for all, under the first index; Diverged if more than index and descriptor differ."""
        records = [self.real.cpus[index] for index in self.index.values]
        if not all(map(_SHARED(records[0]).__eq__, map(_SHARED, records))):
            self.batch.refuse("vCPUs under different circumstances")
        descriptor = lifted(self.batch, [record.descriptor for record in records])
        return {self.index.first: replace(records[0], index=self.index, descriptor=descriptor)}

    def vcpus(self) -> tuple[int, ...]:
        return self.real.vcpus()

    def check(self) -> None:
        """Raise Diverged if anything was refused on the way, or the time of the lanes was wrong."""
        if self.batch.refused or self.counts["steps"] != self.steps:
            self.batch.refuse("not the steps that the vCPU before took")

    def commit(self) -> None:
        """Do to the real machine what every lane did."""
        real, count = self.real, self.batch.count
        for part in (self.memory, self.entries, self.ever, self.notes):
            part.commit()
        for name, number in self.counts.items():
            real.counts[name] += number * count
        real._ticks += self.steps * count
        real._kernel_exit = self._kernel_exit
        if real.on_host_store is not None:
            for gpa, size, side in self.host_stores:
                for one in gpa.values:
                    real.on_host_store(one, size, side)


class KeyColumns:
    """The keys of consecutive vCPUs under a kind and a name: made once, for they are asked for again and again."""

    def __init__(self) -> None:
        self._columns: dict[tuple[Any, ...], list[Key]] = {}

    def column(self, first: int, count: int, kind: str, name: Any) -> list[Key]:
        """Return the key of each lane."""
        which = first, count, kind, name
        if which not in self._columns:
            parts = zip(repeat(kind), range(first, first + count), repeat(name), strict=False)
            keys: list[Any] = list(map(partial(tuple.__new__, Key), parts))
            self._columns[which] = keys
        return self._columns[which]


def keeps_state(protocol: Protocol) -> Callable[[], bool]:
    """Return a question to be asked later: may ``protocol`` or a feature have changed in between?

    A program that remembers in Python attributes is told apart neither by the machine nor by the explorer; it must
    be run once for each vCPU.
    """
    before = _attributes(protocol)
    return lambda: before is None or _attributes(protocol) != before


def _attributes(protocol: Protocol) -> bytes | None:
    try:
        return pickle.dumps([vars(protocol), *map(vars, protocol.features)])
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


class AtOnce:
    """Runs programs of many vCPUs of ``machine`` at once, where that is sound."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.keys = KeyColumns()

    def ask(self, first: int, count: int, steps: int, act: Callable[[LaneMachine], None]) -> LaneMachine | None:
        """Let ``act`` work on a machine that stands for many vCPUs; return that if it was sound, None otherwise.

        Nothing is written to the real machine. An error that a program meets is met again, by the vCPU whose it is.
        """
        try:
            lanes = LaneMachine(self.machine, first, count, steps, self.keys)
            act(lanes)
            lanes.check()
        except (Diverged, Exception):  # noqa: BLE001
            return None
        return lanes

    def run(self, first: int, count: int, steps: int, act: Callable[[LaneMachine], None]) -> bool:
        """The same, and do to the real machine what was done; tell whether it was."""
        lanes = self.ask(first, count, steps, act)
        if lanes is not None:
            with _nothing_to_collect():
                lanes.commit()
        return lanes is not None


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """Keep the garbage collector from searching what is made here, all of which stays: it would double the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
