"""The numba engine: the same tables as the NumPy engine, with compiled loops and an open-addressing set.

Rule kept here: the levels hold every state once; the visited set is only an index of them, so it can be
discarded and rebuilt when it has to grow.
"""

from __future__ import annotations

import numpy as np

from workbench.engines.explore.numba_search import loops
from workbench.engines.explore.numba_search.state_set import (
    CLASH,
    OUT,
    RECENT,
    STUCK,
    TOTAL,
    TRANSITIONS,
    rehash,
    stretch,
)
from workbench.engines.explore.tables.bit_layout import Layout, Words
from workbench.engines.explore.tables.local_tables import Outgrown
from workbench.engines.explore.tables.packed_search import PackedSearch, chunks

CHUNK = 1 << 14  # states looked up at once: their rows stay in the cache
FULL = 0.7  # largest load factor of the visited set; linear probing gets slow beyond
MISSING = 1 << 12  # unknown keys collected before their entries are filled
SMALLEST = 20  # log2 of the slots of the smallest visited set
LOW = 12  # log2 of the slots for states set aside while the set grows
BEHIND = 6  # how often the visited set may double in place


class CompiledSearch(PackedSearch):
    """Breadth-first search with compiled loops."""

    engine = "numba"

    def begin(self) -> None:
        """Allocate the buffers, and build the visited set from the levels so far."""
        self.counters = np.zeros(5, np.int64)
        self.counters[CLASH] = -1
        self.counters[TOTAL] = sum(len(level[0]) for level in self.levels)
        self.missing = np.empty((MISSING, 2), np.int64)
        self._buffers(1 << 12)
        self._fill(max(SMALLEST, (2 * self.seen()).bit_length()))

    def _buffers(self, room: int) -> None:
        """Buffers for states of as many words as the layout has; `room` states in the next level."""
        words = self.layout.words
        self.span = (0,) * words
        self.reserved = self.visited = np.empty((0, words), np.uint64)
        self.out = np.empty((room, words), np.uint64)
        self.keys = np.empty((0, words), np.uint64)
        self.recent = np.zeros((1 << RECENT, words), np.uint64)
        self.stuck = np.empty((CHUNK, words), np.uint64)
        self.scratch = np.empty(2 * words, np.uint64)

    def seen(self) -> int:
        """How many distinct states were found so far."""
        return int(self.counters[TOTAL])

    def stored(self) -> int:
        """Bytes of levels, next level and visited set."""
        levels = self.layout.state_bytes * (self.seen() - int(self.counters[OUT]))
        return levels + self.out.nbytes + self.visited.nbytes

    def _grow(self) -> None:
        """Double the visited set; in place, if enough addresses are reserved behind it."""
        older, bits = self.bits, self.bits + 1
        if 1 << bits <= len(self.reserved):
            self._use(bits)
            room = np.empty((5 << 10, self.layout.words), np.uint64)
            if stretch(self.visited, older, bits, room[1 << 10 :], room[: 1 << 10], self.span):
                return
        self._fill(bits)

    def _use(self, bits: int) -> None:
        self.bits, self.visited = bits, self.reserved[: 1 << bits]

    def _reserve(self, bits: int) -> None:
        """Allocate 2**bits slots, and reserve addresses for more: untouched pages take no memory."""
        self.reserved = self.visited = np.empty((0, self.layout.words), np.uint64)  # free the old one first
        try:
            self.reserved = np.zeros((1 << bits + BEHIND, self.layout.words), np.uint64)
        except MemoryError:
            self.reserved = np.zeros((1 << bits, self.layout.words), np.uint64)
        self._use(bits)

    def _fill(self, bits: int) -> None:
        """Build a visited set of 2**bits slots from all levels and the states found in this level."""
        self._reserve(bits)
        for level in self.levels:
            for chunk in chunks(level, 1 << 20):
                rehash(_rows_of(chunk), self.visited, bits, self.span)
        rehash(self.out[: self.counters[OUT]], self.visited, bits, self.span)

    def level(self) -> None:
        """Expand the last level chunk by chunk."""
        self.counters[OUT] = 0
        start, size = 0, len(self.levels[-1][0])
        while start < size:
            chunk = _rows_of([word[start : start + CHUNK] for word in self.levels[-1]])
            try:
                rows = self._rows(chunk)
                done = self._advance(chunk, rows)
            except Outgrown:
                self.relayout()
                continue
            start += done
            if self.stop_here(start < size or self.counters[OUT] > 0):
                return
        self._next_level(int(self.counters[OUT]))
        self.counters[OUT] = 0

    def _next_level(self, found: int) -> None:
        """Append the states found as the next level; copy them only if that saves memory."""
        level = self.out[:found]
        if 4 * found > 3 * len(self.out):
            self.out = np.empty_like(self.out)
        else:
            level = level.copy()
        self.levels.append(_words_of(level))

    def _roots(self) -> tuple[np.ndarray, int]:
        """The root nodes, groups without parts first; and the number of groups without parts."""
        roots, groups = self.tables.roots, self.tables.groups
        with_parts = [root.number for root in roots if groups[root.group].composite]
        without = [root.number for root in roots if not groups[root.group].composite]
        return np.array(without + with_parts, np.int64), len(without)

    def _rows(self, chunk: np.ndarray) -> np.ndarray:
        """The row of every state in every group; unknown keys are filled on the way."""
        tables = self.tables
        roots, simple = self._roots()
        rows = np.empty((len(chunk), len(roots)), np.int32)
        while True:
            missed = loops.look_up(
                chunk, roots, simple, self._lookup(), self._row_info(), self._part_info(), rows, self.missing, self.span
            )
            if not missed:
                return rows
            widened: set[int] = set()
            for number, key in self.missing[:missed].tolist():
                if number not in widened and not tables.fill(tables.nodes[number], key):
                    widened.add(number)

    def _advance(self, chunk: np.ndarray, rows: np.ndarray) -> int:
        """Insert the successors of a chunk; returns how many of its states were expanded."""
        moves = self._moves()
        most = self._make_room()
        met = np.zeros((len(self.tables.observations), 2), np.int64)
        done = loops.advance(
            chunk,
            rows,
            self._roots()[1],
            most,
            self._lookup(),
            self._row_info(),
            self.tables.masks.data.reshape(-1, 2 * self.layout.words),
            self._part_info(),
            moves,
            self.visited,
            self.bits,
            int(FULL * len(self.visited)),
            self.out,
            self.keys,
            self.recent,
            self.counters,
            met,
            self.stuck,
            self.scratch,
            self.span,
        )
        if self.counters[CLASH] >= 0:
            raise self.tables.clash(int(self.counters[CLASH]))
        self._collect(chunk, met)
        return int(done)

    def _make_room(self) -> int:
        """Make room for the successors of at least one block; returns the largest number of successors of a block."""
        counts, groups = self.tables.count.data, len(self.tables.roots)
        most = loops.BLOCK * groups * int(counts.max(initial=0))
        if most > len(self.keys):
            self.keys = np.empty((2 * most, self.layout.words), np.uint64)
        found = int(self.counters[OUT])
        if found + 4 * most > len(self.out):
            grown = np.empty((2 * len(self.out) + 4 * most, self.layout.words), np.uint64)
            grown[:found] = self.out[:found]
            self.out = grown
        while self.seen() + 4 * most > int(FULL * len(self.visited)):
            self._grow()
        return most

    def _collect(self, chunk: np.ndarray, met: np.ndarray) -> None:
        """Add the counters of the compiled loops to the outcome."""
        outcome = self.outcome
        outcome.transitions += int(self.counters[TRANSITIONS])
        self.counters[TRANSITIONS] = 0
        by_mark: dict[int, list[int]] = {}
        for index in np.flatnonzero(met[:, 0]).tolist():
            for mark in self.tables.observations[index]:
                by_mark.setdefault(mark, []).append(index)
        for mark, indices in by_mark.items():
            found = outcome.hits[mark]
            state = found.state or self.layout.unpack(chunk[met[indices, 1].min()].tolist())
            found.add(int(met[indices, 0].sum()), outcome.depth, state)
        stuck = _words_of(self.stuck[: self.counters[STUCK]].copy())
        self.counters[STUCK] = 0
        self._collect_stuck(stuck)

    def _collect_stuck(self, stuck: Words) -> None:
        try:
            where = self.unfinished(stuck, np.arange(len(stuck[0])))
        except Outgrown:  # the successors are already inserted: repeat only this check in the new layout
            older = self.layout
            self.relayout()
            self._collect_stuck(self.move(stuck, older))
            return
        if len(where):
            self.add_hits(self.outcome.deadlocks, stuck, where)

    def moved(self, older: Layout) -> None:
        """Repack the levels and the states found in this level into the present layout."""
        found = self.counters[OUT]
        self.levels = [self.move(level, older) for level in self.levels]
        out = self.move(_words_of(self.out[:found]), older)
        self._buffers(len(self.out))
        self.out[:found] = _rows_of(out)
        self._fill(self.bits)

    def _lookup(self) -> tuple[np.ndarray, ...]:
        tables = self.tables
        return (
            tables.node_words.data.reshape(-1, tables.node_size),
            tables.segment_words.data.reshape(-1, 4),
            tables.table.data,
        )

    def _row_info(self) -> tuple[np.ndarray, ...]:
        tables = self.tables
        return tables.first.data, tables.count.data, tables.enabled.data, tables.met.data

    def _part_info(self) -> tuple[np.ndarray, ...]:
        return self.tables.parts_first.data, self.tables.parts_count.data, self.tables.parts.data

    def _moves(self) -> tuple[np.ndarray, ...]:
        if self.packed_reduction is None:
            empty = np.zeros(0, np.uint64)
            return (np.zeros(1, np.int64), *[empty] * 5, np.zeros(0, np.int64), empty)
        return self.packed_reduction.flat()


def _rows_of(words: Words) -> np.ndarray:
    """States as rows of words, the form that the compiled loops take."""
    return words[0].reshape(-1, 1) if len(words) == 1 else np.stack(words, axis=1)


def _words_of(rows: np.ndarray) -> Words:
    return [rows[:, word] for word in range(rows.shape[1])]
