"""The NumPy engine: frontier and visited states are sorted arrays.

Rule kept here: a state is one 64-bit key. States of several words are given keys by numbering the distinct
contents of their words, exactly, so that sorting and searching stay the same.
"""

from __future__ import annotations

import numpy as np

from workbench.engines.explore.layout import Layout, Words
from workbench.engines.explore.packed import CHUNK, PackedSearch, chunks
from workbench.engines.explore.tables import Outgrown

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

    def begin(self, first: Words) -> None:
        """Take the initial state as the first level."""
        self.levels = [first]
        self.dictionaries = [_Numbered() for _ in range(2 * self.layout.words)]
        self.visited = [self.keys(first)]
        self.total = 1
        self.found: list[tuple[np.ndarray, Words]] = []

    def keys(self, words: Words) -> np.ndarray:
        """One 64-bit key per state; equal keys mean equal states."""
        key = words[0]
        for place, word in enumerate(words[1:]):
            high = self.dictionaries[2 * place].of(key)
            key = high << HALF | self.dictionaries[2 * place + 1].of(word)
        return key

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
                after = self.canonical(expansion.after)
                self.count(chunk, expansion.enabled, expansion.hits)
            except Outgrown:
                self.relayout()
                continue
            start += CHUNK
            self._keep_new(after)
            if self.stop_here(start < size or any(len(key) for key, _ in self.found)):
                return
        self._finish()

    def _keep_new(self, after: Words) -> None:
        """Remember the successors that no earlier level has."""
        key, words = self._distinct(self.keys(after), after)
        for run in self.visited:
            new = ~_contained(key, run)
            key, words = key[new], [word[new] for word in words]
        if len(key):
            self.found.append((key, words if len(words) > 1 else [key]))

    def _distinct(self, key: np.ndarray, words: Words) -> tuple[np.ndarray, Words]:
        if len(words) == 1:
            key = _sorted_distinct(key)
            return key, [key]
        key, first = np.unique(key, return_index=True)
        return key, [word[first] for word in words]

    def _finish(self) -> None:
        """Make what was found the next level and merge it into the visited states."""
        if not self.found:
            self.levels.append([np.empty(0, np.uint64) for _ in range(self.layout.words)])
            return
        key = np.concatenate([key for key, _ in self.found])
        words = [np.concatenate(pieces) for pieces in zip(*(words for _, words in self.found), strict=True)]
        if len(self.found) > 1:
            key, words = self._distinct(key, words)
        self.found = []
        self.levels.append(words)
        self.total += len(key)
        self.visited.append(key)
        while len(self.visited) > 1 and len(self.visited[-2]) < 2 * len(self.visited[-1]):
            last = self.visited.pop()
            self.visited[-1] = np.sort(np.concatenate([self.visited[-1], last]))

    def moved(self, older: Layout) -> None:
        """Bring levels, visited states and findings of this level into the present layout."""
        self.levels = [self.move(level, older) for level in self.levels]
        self.dictionaries = [_Numbered() for _ in range(2 * self.layout.words)]
        self.visited = [np.sort(np.concatenate([self.keys(level) for level in self.levels]))]
        found = [self.move(words, older) for _, words in self.found]
        self.found = [self._distinct(self.keys(words), words) for words in found]


def _contained(values: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Which of the values are in a sorted run."""
    if not len(run):
        return np.zeros(len(values), bool)
    where = np.searchsorted(run, values)
    where[where == len(run)] = 0
    return run[where] == values


def _sorted_distinct(values: np.ndarray) -> np.ndarray:
    values = np.sort(values)
    new = np.empty(len(values), bool)
    new[:1] = True
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return values[new]
