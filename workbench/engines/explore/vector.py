"""The NumPy engine: frontier and visited states are sorted arrays.

Rule kept here: a state is one 64-bit key. States of several words are given keys by numbering the distinct
contents of their words, exactly, so that sorting and searching stay the same.
"""

from __future__ import annotations

import numpy as np

from workbench.engines.explore.layout import Layout, Words
from workbench.engines.explore.packed import CHUNK, PackedSearch, chunks
from workbench.engines.explore.tables import Outgrown

FILTER_BITS = 20  # recently seen keys that are recognised without a search
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
HALF = np.uint64(32)


class _Numbered:
    """Numbers for distinct 64-bit values, in the order in which they appear."""

    def __init__(self) -> None:
        self.sorted = np.empty(0, np.uint64)
        self.numbers = np.empty(0, np.uint64)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The number of each value; new values get the next ones."""
        distinct, inverse = np.unique(values, return_inverse=True)
        new = distinct[~_contained(distinct, self.sorted)]
        if len(new):
            where = np.searchsorted(self.sorted, new)
            fresh = np.arange(len(self.sorted), len(self.sorted) + len(new), dtype=np.uint64)
            self.sorted = np.insert(self.sorted, where, new)
            self.numbers = np.insert(self.numbers, where, fresh)
        return self.numbers[np.searchsorted(self.sorted, distinct)][inverse]


class VectorSearch(PackedSearch):
    """Breadth-first search with sorting, searching and merging."""

    engine = "numpy"

    def begin(self) -> None:
        """Remember the states of the levels so far as visited."""
        self.dictionaries = [_Numbered() for _ in range(2 * self.layout.words)]
        self.visited = [np.sort(np.concatenate([self.keys(level) for level in self.levels]))]
        self.total = sum(len(level[0]) for level in self.levels)
        self.found: list[tuple[np.ndarray, Words]] = []
        self.recent = self._nothing_recent()

    def keys(self, words: Words) -> np.ndarray:
        """One 64-bit key per state; equal keys mean equal states."""
        key = words[0]
        for place, word in enumerate(words[1:]):
            high = self.dictionaries[2 * place].of(key)
            key = high << HALF | self.dictionaries[2 * place + 1].of(word)
        return key

    def _nothing_recent(self) -> np.ndarray:
        """An empty filter: each slot holds a key that belongs into another one."""
        recent = np.zeros(1 << FILTER_BITS, np.uint64)
        recent[0] = np.uint64(1) << np.uint64(63)
        return recent

    def seen(self) -> int:
        """How many distinct states were found so far (in this level, perhaps counted twice)."""
        return self.total + sum(len(key) for key, _ in self.found)

    def stored(self) -> int:
        """Bytes of levels, visited runs and what this level has found."""
        arrays = [word for level in self.levels for word in level] + self.visited
        arrays += [word for _, words in self.found for word in words]
        return sum({id(array): array.nbytes for array in arrays}.values())

    def level(self) -> None:
        """Expand the last level chunk by chunk, each chunk without what was visited before."""
        self.found = []
        start, size = 0, len(self.levels[-1][0])
        while start < size:
            chunk = next(chunks([word[start:] for word in self.levels[-1]]))
            try:
                expansion = self.walker.expand(chunk)
                after = [self.canonical(piece) for piece in expansion.pieces]
                self.count(chunk, expansion.enabled, expansion.hits)
            except Outgrown:
                self.relayout()
                continue
            start += CHUNK
            self._keep_new(after)
            if self.stop_here(start < size or any(len(key) for key, _ in self.found)):
                return
        self._finish()

    def _keep_new(self, pieces: list[Words]) -> None:
        """Remember the successors that no earlier level has."""
        fresh = [self._not_recent(self.keys(words), words) for words in pieces if len(words[0])]
        if not fresh:
            return
        joined = [np.concatenate(words) for words in zip(*(words for _, words in fresh), strict=True)]
        key, words = self._distinct(np.concatenate([key for key, _ in fresh]), joined)
        for run in self.visited:
            new = np.flatnonzero(~_contained(key, run))
            key, words = key.take(new), [word.take(new) for word in words]
        if len(key):
            self.found.append((key, words if len(words) > 1 else [key]))

    def _not_recent(self, key: np.ndarray, words: Words) -> tuple[np.ndarray, Words]:
        """Leave out keys that were seen a short while ago; most successors are found again at once."""
        slot = (key * SPREAD >> np.uint64(64 - FILTER_BITS)).view(np.int64)
        other = np.flatnonzero(self.recent.take(slot) != key)
        key, slot = key.take(other), slot.take(other)
        self.recent[slot] = key
        return key, [word.take(other) for word in words] if len(words) > 1 else [key]

    def _distinct(self, key: np.ndarray, words: Words, merge: bool = False) -> tuple[np.ndarray, Words]:
        if len(words) == 1:
            key = _sorted_distinct(key, merge)
            return key, [key]
        key, first = np.unique(key, return_index=True)
        return key, [word[first] for word in words]

    def _finish(self) -> None:
        """Make what was found the next level and merge it into the visited states."""
        if not self.found:
            self.levels.append([np.empty(0, np.uint64) for _ in range(self.layout.words)])
            return
        key, words = self.found[0]
        if len(self.found) > 1:
            joined = [np.concatenate(pieces) for pieces in zip(*(words for _, words in self.found), strict=True)]
            key, words = self._distinct(np.concatenate([key for key, _ in self.found]), joined, merge=True)
        self.found = []
        self.levels.append(words)
        self.total += len(key)
        self.visited.append(key)
        while len(self.visited) > 1 and len(self.visited[-2]) < 2 * len(self.visited[-1]):
            last = self.visited.pop()
            self.visited[-1] = _merged([self.visited[-1], last])

    def moved(self, older: Layout) -> None:
        """Bring levels, visited states and findings of this level into the present layout."""
        self.levels = [self.move(level, older) for level in self.levels]
        self.dictionaries = [_Numbered() for _ in range(2 * self.layout.words)]
        self.visited = [np.sort(np.concatenate([self.keys(level) for level in self.levels]))]
        found = [self.move(words, older) for _, words in self.found]
        self.found = [self._distinct(self.keys(words), words) for words in found]
        self.recent = self._nothing_recent()


def _contained(values: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Which of the values are in a sorted run."""
    if not len(run):
        return np.zeros(len(values), bool)
    where = np.searchsorted(run, values)
    where[where == len(run)] = 0
    return run[where] == values


def _merged(runs: list[np.ndarray]) -> np.ndarray:
    """Sorted runs as one; a stable sort finds the runs and only merges them."""
    return np.sort(np.concatenate(runs), kind="stable")


def _sorted_distinct(values: np.ndarray, merge: bool) -> np.ndarray:
    values = np.sort(values, kind="stable" if merge else None)
    new = np.empty(len(values), bool)
    new[:1] = True
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return values[new]
