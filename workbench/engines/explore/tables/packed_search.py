"""The search that the table engines share: packing, tables, new layouts, counting, paths to a state.

Rule kept here: a counterexample needs only the levels, kept as packed words. Its path is found backwards: level
by level, the states are expanded again to find one that leads to the wanted state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from workbench.engines.explore.reduction import PackedReduction, Reduction
from workbench.engines.explore.search import HANDED_OVER, Hits, Limits, SearchOutcome, State
from workbench.engines.explore.space import Space
from workbench.engines.explore.tables.apply import Walker
from workbench.engines.explore.tables.bit_layout import Layout, Words
from workbench.engines.explore.tables.grouping import group_actions, placing_order
from workbench.engines.explore.tables.local_tables import Outgrown, Tables
from workbench.errors import WorkbenchError

CHUNK = 1 << 16  # states expanded at once


class PackedSearch(ABC):
    """A breadth-first search over packed states; subclasses store the visited states.

    With `begun` it continues after the last complete level of another search of the same space.
    From `hand_over_at` states on, the search stops at the end of a level for another engine to continue.
    """

    engine = ""
    hand_over_at: int | None = None
    layout: Layout
    tables: Tables
    walker: Walker
    packed_reduction: PackedReduction | None

    def __init__(
        self, space: Space, limits: Limits, reduction: Reduction | None, begun: PackedSearch | None = None
    ) -> None:
        self.space = space
        self.limits = limits
        self.reduction = reduction
        self.outcome = SearchOutcome(self.engine)
        self.levels: list[Words] = []
        if begun is None:
            self._new_layout()
        else:
            self._take_over(begun)

    def _take_over(self, begun: PackedSearch) -> None:
        self.layout, self.tables, self.walker = begun.layout, begun.tables, begun.walker
        self.packed_reduction, self.levels = begun.packed_reduction, begun.levels
        self.outcome = replace(begun.outcome, engine=self.engine, limit=None)

    def _new_layout(self) -> None:
        groups = group_actions(self.space)
        self.packed_reduction = None if self.reduction is None else self.reduction.packed()
        self.layout = Layout(self.space, placing_order(self.space, groups))
        if self.packed_reduction is not None:
            self.packed_reduction.use(self.layout)
        self.tables = Tables(self.space, self.layout, groups)
        self.walker = Walker(self.tables)

    def run(self) -> SearchOutcome:
        """Search until nothing new appears, a limit is met or the user interrupts."""
        outcome = self.outcome
        try:
            if not self.levels:
                first = [np.array([word], np.uint64) for word in self.layout.pack(self.space.initial())]
                self.levels = [self.canonical(first)]
            self.begin()
            while len(self.levels[-1][0]):
                outcome.depth = len(self.levels) - 1
                self.level()
                if outcome.limit is None and self.limits.stop_at_first and outcome.violates(self.space.marks):
                    outcome.limit = "first finding"
                if outcome.limit is None and self.hand_over_at and self.seen() >= self.hand_over_at:
                    outcome.limit = HANDED_OVER
                if outcome.limit is not None:
                    break
        except KeyboardInterrupt:
            outcome.limit = "interrupted"
        outcome.states = self.seen()
        outcome.stored = max(outcome.stored, self.stored())
        outcome.seconds = self.limits.seconds()
        return outcome

    @abstractmethod
    def begin(self) -> None:
        """Mark the states of the levels so far as visited."""

    @abstractmethod
    def level(self) -> None:
        """Expand the last level and append the next; set a limit when one is met."""

    @abstractmethod
    def seen(self) -> int:
        """How many distinct states were found so far."""

    @abstractmethod
    def stored(self) -> int:
        """Bytes kept for states."""

    @abstractmethod
    def moved(self, older: Layout) -> None:
        """Repack all stored states into the present layout."""

    def stop_here(self, more: bool) -> bool:
        """Report progress; return whether a limit ends the search here. `more`: whether states are left to expand."""
        states, stored = self.seen(), self.stored()
        self.limits.report(states, len(self.levels[self.outcome.depth][0]), self.outcome.depth)
        self.outcome.stored = max(self.outcome.stored, stored)
        limit = self.limits.exceeded(states, stored)
        if limit is not None and more:
            self.outcome.limit = limit
        return self.outcome.limit is not None

    def relayout(self) -> None:
        """Make a layout with room for new values and variables, and repack every state."""
        older = self.layout
        for _ in range(100):
            try:
                self._new_layout()
                self.moved(older)
                return
            except Outgrown:
                continue
        raise WorkbenchError("the values of this model keep growing while it is packed; use the python engine")

    def move(self, words: Words, older: Layout) -> Words:
        """Packed states of an older layout in the present one."""
        return self.canonical(self.layout.repack(words, older))

    def canonical(self, words: Words) -> Words:
        """The representatives of states; the states themselves if none are merged."""
        return words if self.packed_reduction is None else self.packed_reduction.least(words)

    def count(self, words: Words, enabled: np.ndarray, met: list[np.ndarray]) -> None:
        """Add a chunk of expanded states to the outcome."""
        stuck = self.unfinished(words, np.flatnonzero(enabled == 0))  # may raise Outgrown: nothing is counted yet
        self.outcome.transitions += int(enabled.sum(dtype=np.int64))
        for observed in met:
            self._count_marks(words, observed)
        if len(stuck):
            self.add_hits(self.outcome.deadlocks, words, stuck)

    def _count_marks(self, words: Words, observed: np.ndarray) -> None:
        """Count what one group observed in a chunk."""
        by_mark: dict[int, list[int]] = {}
        counts = np.bincount(observed)
        for index in np.flatnonzero(counts).tolist():
            for mark in self.tables.observations[index]:
                by_mark.setdefault(mark, []).append(index)
        for mark, indices in by_mark.items():
            found = self.outcome.hits[mark]
            if found.state is None:
                self.add_hits(found, words, np.flatnonzero(np.isin(observed, indices)))
            else:
                found.count += int(counts[indices].sum())

    def unfinished(self, words: Words, stuck: np.ndarray) -> np.ndarray:
        """The deadlocks among the stuck states (given by index): those in which the model may not end."""
        if not len(stuck):
            return stuck
        ending = self.walker.met(self.tables.ending, [word[stuck] for word in words])
        return stuck[ending == 0]

    def add_hits(self, found: Hits, words: Words, where: np.ndarray) -> None:
        """Count some states of a chunk; the least of them is the one shown in a counterexample."""
        if found.state is not None:
            found.count += len(where)
            return
        least = where[np.lexsort([word[where] for word in words])[0]]
        state = self.layout.unpack([int(word[least]) for word in words])
        found.add(len(where), self.outcome.depth, state)

    def path(self, depth: int, state: State) -> list[State]:
        """The states from the initial one to `state`, one per level."""
        # The representative depends on the layout, which may have changed since the state was found.
        first = self.canonical([np.array([word], np.uint64) for word in self.layout.pack(state)])
        wanted = [word[0] for word in first]
        states = [state]
        for level in range(depth - 1, -1, -1):
            wanted = self._before(self.levels[level], wanted)
            states.append(self.layout.unpack([int(word) for word in wanted]))
        return states[::-1]

    def _before(self, level: Words, wanted: list[np.uint64]) -> list[np.uint64]:
        """A state of a level that leads to the wanted state."""
        for chunk in chunks(level):
            found = self.walker.expand(chunk)
            for piece, counts in zip(found.pieces, found.counts, strict=True):
                after = self.canonical(piece)
                same = after[0] == wanted[0]
                for word, want in zip(after[1:], wanted[1:], strict=True):
                    same &= word == want
                if same.any():
                    origin = int(np.searchsorted(np.cumsum(counts), same.argmax(), side="right"))
                    return [word[origin] for word in chunk]
        raise WorkbenchError("internal error: no predecessor for a state of the trace")


def chunks(words: Words, size: int = CHUNK) -> Iterator[Words]:
    """Pieces of many states, in order."""
    for start in range(0, len(words[0]), size):
        yield [word[start : start + size] for word in words]
