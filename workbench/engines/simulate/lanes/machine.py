"""The simulator's machine as a batch of vCPUs (lanes) sees it.

Vcpu records, addresses and the time are Lanes; the author's programs, the driver, the transition function and the
machine's own bookkeeping run unchanged, once. The real machine is written only when the last program has ended, in as
many steps as the vCPU before the batch took. On :class:`Diverged` the machine is therefore untouched, and the vCPUs
are run one by one instead.

The time of lane ``i`` starts ``i`` times the steps of one lane after that of the first, as in a run one by one.
"""

import gc
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
from workbench.engines.simulate.lanes.state import LaneEntries, LaneMemory, has_lane, lifted
from workbench.engines.simulate.lanes.values import Batch, Diverged

#: The least number of vCPUs for which a batch is worth its overhead.
FEWEST_LANES = 16

#: What each vCPU has of its own.
_OWN = ("index", "descriptor", "host_memory")
_SHARED = attrgetter(*(field.name for field in fields(Vcpu) if field.name not in _OWN))


class LaneMachine(Machine):
    """The consecutive vCPUs ``cpus``, each of which will take ``steps`` steps.

    It is an ordinary machine, except that records, entries, notes and memory are views of the real ones.
    """

    def __init__(self, real: Machine, cpus: Sequence[int], steps: int, keys: "KeyColumns") -> None:
        self.real = real
        self.batch = Batch(len(cpus))
        self.steps = steps
        self.most_steps = real.most_steps
        self.index = self.batch.lane(cpus[0], 1)
        column = partial(keys.column, cpus[0], len(cpus))
        self.cpus: Any = LaneRecords(real.cpus, self.index)
        self.entries: Any = LaneEntries(real.entries, self.index, column)
        self.ever: Any = LaneEntries(real.ever, self.index, column)
        self.notes: Any = LaneEntries(real.notes, self.index, column)
        self.memory: Any = LaneMemory(real.memory, self.batch)
        self.counts = Counter()
        self.trace = None
        self.sent = None
        self.host_stores: list[tuple[Any, int, Side]] = []
        self.on_host_store = lambda *store: self.host_stores.append(store)
        self._start_ns = real._start_ns
        self._clock_offset = real._clock_offset
        self.ticks = self.batch.lane(real.ticks, steps)

    def vcpus(self) -> tuple[int, ...]:
        return self.real.vcpus()

    def check(self, answer: Any) -> None:
        """Raise Diverged if any operation was refused, the time was wrong, or the lanes' answers differ."""
        if self.batch.refused or self.counts["steps"] != self.steps or has_lane(answer):
            self.batch.refuse("not what the vCPU before did")

    def commit(self) -> None:
        """Apply to the real machine what every lane did."""
        real, count = self.real, self.batch.count
        for part in (self.memory, self.entries, self.ever, self.notes):
            part.commit()
        for name, number in self.counts.items():
            real.counts[name] += number * count
        real.ticks += self.steps * count
        if real.on_host_store is not None:
            for gpa, size, side in self.host_stores:
                for one in gpa.values:
                    real.on_host_store(one, size, side)


class LaneRecords:
    """The records of the lanes' own vCPUs as one record, found under their symbolic index."""

    def __init__(self, real: dict[int, Vcpu], index: Any) -> None:
        self.real = real
        self.index = index

    def __getitem__(self, cpu: Any) -> Vcpu:
        return self._common if self.index.is_same(cpu) else self.index.refuse()

    @cached_property
    def _common(self) -> Vcpu:
        """The record that represents all; raise Diverged if more than index and descriptor differ."""
        batch, records = self.index.batch, [self.real[index] for index in self.index.values]
        if not all(map(_SHARED(records[0]).__eq__, map(_SHARED, records))):
            batch.refuse("vCPUs under different circumstances")
        own = {name: lifted(batch, [getattr(one, name) for one in records]) for name in _OWN[1:]}
        return replace(records[0], index=self.index, **own)


class KeyColumns:
    """The keys of consecutive vCPUs under a kind and a name: cached, because they are used often."""

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


class AtOnce:
    """Runs the same action for vCPUs of ``machine``, as if one after the other: in one batch where that is sound.

    ``protocol`` is the one whose programs they run.
    """

    def __init__(self, machine: Machine, protocol: Protocol) -> None:
        self.machine = machine
        self.protocol = protocol
        self.keys = KeyColumns()
        self.remembered = _attributes(protocol)

    def __call__(self, cpus: Sequence[int], act: Callable[[Machine, Any], Any], *, looks: bool = False) -> list[Any]:
        """Return ``[act(machine, cpu) for cpu in cpus]``, for consecutive vCPUs.

        ``act`` may be called with a machine and an index that represent many vCPUs; ``looks`` says that it runs no
        program and changes nothing. Raises what ``act`` raises.
        """
        machine, answers, rest = self.machine, [], cpus
        if len(cpus) >= FEWEST_LANES:
            # The first may be the boot CPU; the second shows how many steps a turn takes.
            answers.append(act(machine, cpus[0]))
            before = machine.counts["steps"]
            answers.append(act(machine, cpus[1]))
            steps, rest = machine.counts["steps"] - before, cpus[2:]
            done = self.run(rest, steps, act) if looks or not self._remembers() else None
            if done is not None:
                return answers + done
        return answers + [act(machine, cpu) for cpu in rest]

    def _remembers(self) -> bool:
        """Tell whether protocol or features may have changed since the previous call.

        State that a program keeps in Python attributes is visible neither to the machine nor to the explorer; such a
        program must be run once for each vCPU.
        """
        before, self.remembered = self.remembered, _attributes(self.protocol)
        return before is None or before != self.remembered

    def run(self, cpus: Sequence[int], steps: int, act: Callable[[Machine, Any], Any]) -> list[Any] | None:
        """Run ``act`` once on a machine that represents all ``cpus``; None if that was not sound.

        Nothing has then been written. An error of a program is raised again when its vCPU is run alone.
        """
        try:
            lanes = LaneMachine(self.machine, cpus, steps, self.keys)
            answer = act(lanes, lanes.index)
            lanes.check(answer)
        except (Diverged, Exception):  # noqa: BLE001
            return None
        if any(lanes.counts.values()):  # otherwise nothing was written
            with _nothing_to_collect():
                lanes.commit()
        return [answer] * len(cpus)


def _attributes(protocol: Protocol) -> bytes | None:
    """Return what protocol and features hold in Python attributes; None if that cannot be compared."""
    try:
        return pickle.dumps([vars(protocol), *map(vars, protocol.features)])
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """Pause the garbage collector: all objects made here stay alive, and searching them doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
