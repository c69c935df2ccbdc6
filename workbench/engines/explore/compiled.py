"""The numba engine: the same tables as the NumPy engine, with compiled loops and an open-addressing set.

Rule kept here: the levels hold every state once, the visited set is only an index of them, so it can be
thrown away and built anew when it has to grow. States of more than one word are left to the NumPy engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.core.errors import EngineError
from workbench.engines.explore import kernel
from workbench.engines.explore.layout import Layout, Words
from workbench.engines.explore.packed import PackedSearch
from workbench.engines.explore.tables import Outgrown

CHUNK = 1 << 14  # states looked up at once: their rows stay in the cache
FULL = 0.7  # of the visited set; linear probing gets slow beyond
MISSING = 1 << 12  # unknown keys noted before they are filled
SMALLEST = 16  # bits of the smallest visited set


class CompiledSearch(PackedSearch):
    """Breadth-first search with compiled loops."""

    engine = "numba"

    def _new_layout(self) -> None:
        super()._new_layout()
        if self.layout.words > 1 or self.layout.bits >= 64:
            raise TooWide(f"{self.layout.bits} bits do not fit one word")

    def begin(self, first: Words) -> None:
        """Take the initial state as the first level."""
        self.levels = [first]
        self.counters = np.zeros(5, np.int64)
        self.counters[kernel.CLASH] = -1
        self.out = np.empty(1 << 12, np.uint64)
        self.buffers = tuple(np.empty(kernel.BLOCK * 64, np.uint64) for _ in range(3))
        self.missing = np.empty((MISSING, 2), np.int64)
        self.hit_counts = np.zeros(64, np.int64)
        self.hit_first = np.zeros(64, np.uint64)
        self.stuck = np.empty(CHUNK, np.uint64)
        self.counters[kernel.TOTAL] = 1
        self._resize(SMALLEST)

    def seen(self) -> int:
        """How many distinct states were found so far."""
        return int(self.counters[kernel.TOTAL])

    def stored(self) -> int:
        """Bytes of levels, next level and visited set."""
        return sum(level[0].nbytes for level in self.levels) + self.out.nbytes + self.visited.nbytes

    def _resize(self, bits: int) -> None:
        """A visited set of 2**bits slots that holds all levels and what this level has found."""
        self.visited = np.empty(0, np.uint64)  # let the old one go first
        self.bits = bits
        self.visited = np.full(1 << bits, kernel.EMPTY)
        for level in self.levels:
            kernel.rehash(level[0], self.visited, bits)
        kernel.rehash(self.out[: self.counters[kernel.OUT]], self.visited, bits)

    def level(self) -> None:
        """Expand the last level chunk by chunk."""
        self.counters[kernel.OUT] = 0
        start, size = 0, len(self.levels[-1][0])
        while start < size:
            chunk = self.levels[-1][0][start : start + CHUNK]
            try:
                rows = self._rows(chunk)
                done = self._advance(chunk, rows)
            except Outgrown:
                self.relayout()
                continue
            start += done
            if self.stop_here(start < size or self.counters[kernel.OUT] > 0):
                return
        self.levels.append([self.out[: self.counters[kernel.OUT]].copy()])
        self.counters[kernel.OUT] = 0

    def _rows(self, chunk: np.ndarray) -> np.ndarray:
        """The row of every state in every group; unknown keys are filled on the way."""
        tables = self.tables
        roots = np.array([root.number for root in tables.roots], np.int64)
        rows = np.empty((len(chunk), len(roots)), np.int32)
        while True:
            missed = kernel.look_up(chunk, roots, self._composite(), *self._lookup(), self._row_info(),
                                    self._part_info(), rows, self.missing)
            if not missed:
                return rows
            widened: set[int] = set()
            for number, key in self.missing[:missed].tolist():
                if number not in widened and not tables.fill(tables.nodes[number], key):
                    widened.add(number)

    def _advance(self, chunk: np.ndarray, rows: np.ndarray) -> int:
        """Insert the successors of a chunk; returns for how many states that was possible."""
        moves = self._moves()
        self._make_room(int(self.tables.count.data.take(rows[: kernel.BLOCK]).sum()))
        done = kernel.advance(chunk, rows, self._composite(), *self._lookup(), self._row_info(),
                              (self.tables.keep[0].data, self.tables.put[0].data), self._part_info(), moves,
                              self.visited, self.bits, int(FULL * len(self.visited)), self.out, self.buffers,
                              self.counters, self.hit_counts, self.hit_first, self.stuck)
        if self.counters[kernel.CLASH] >= 0:
            raise self.tables.clash(int(self.counters[kernel.CLASH]))
        self._collect()
        return int(done)

    def _make_room(self, needed: int) -> None:
        """Room for at least the successors of one block."""
        if needed > len(self.buffers[0]):
            self.buffers = tuple(np.empty(2 * needed, np.uint64) for _ in range(3))
        found = int(self.counters[kernel.OUT])
        if found + needed > len(self.out) - len(self.out) // 8:
            grown = np.empty(2 * len(self.out) + needed, np.uint64)
            grown[:found] = self.out[:found]
            self.out = grown
        while self.seen() + needed > int(FULL * len(self.visited)) * 15 // 16:
            self._resize(self.bits + 1)

    def _collect(self) -> None:
        """Move what the kernel counted into the outcome."""
        outcome = self.outcome
        outcome.transitions += int(self.counters[kernel.TRANSITIONS])
        self.counters[kernel.TRANSITIONS] = 0
        for number in np.flatnonzero(self.hit_counts).tolist():
            state = self.layout.unpack([int(self.hit_first[number])])
            outcome.hits[number].add(int(self.hit_counts[number]), outcome.depth, state)
        self.hit_counts[:] = 0
        stuck = self.stuck[: self.counters[kernel.STUCK]]
        self.counters[kernel.STUCK] = 0
        if len(stuck):
            where = np.flatnonzero(self.walker.hits(self.tables.ending, [stuck]) == 0)
            if len(where):
                self.add_hits(outcome.deadlocks, [stuck], where)

    def moved(self, older: Layout) -> None:
        """Bring levels and findings of this level into the present layout."""
        found = self.counters[kernel.OUT]
        self.levels = [self.move(level, older) for level in self.levels]
        self.out[:found] = self.move([self.out[:found]], older)[0]
        self._resize(self.bits)

    def _composite(self) -> np.ndarray:
        groups = self.tables.groups
        return np.array([groups[root.group].composite for root in self.tables.roots], np.bool_)

    def _lookup(self) -> tuple[Any, ...]:
        tables = self.tables
        nodes = (tables.node_base.data, tables.node_leaf.data, tables.node_first.data, tables.node_count.data)
        segments = (tables.segment_shift.data, tables.segment_mask.data, tables.segment_out.data)
        return nodes, segments, tables.table.data

    def _row_info(self) -> tuple[np.ndarray, ...]:
        tables = self.tables
        return tables.first.data, tables.count.data, tables.enabled.data, tables.hits.data

    def _part_info(self) -> tuple[np.ndarray, ...]:
        return self.tables.parts_first.data, self.tables.parts_count.data, self.tables.parts.data

    def _moves(self) -> tuple[np.ndarray, ...]:
        if self.symmetry is None:
            empty = np.zeros(0, np.uint64)
            return np.zeros(1, np.int64), empty, empty, empty, np.zeros(0, np.int64), empty
        return self.symmetry.flat()


class TooWide(EngineError):  # noqa: N818 - the caller takes another engine
    """States do not fit one word of 63 bits."""
