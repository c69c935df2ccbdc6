"""The NumPy engine: successors of whole chunks of states, visited states in an array that is a hash table.

Rule kept here: a state is one key of at most 63 bits. States of several words are given keys by numbering the
distinct contents of their words, exactly, so that everything else stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.engines.explore.keyset import KeySet, RecentKeys
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
        each, inverse = np.unique(values, return_inverse=True)
        new = each[~np.isin(each, self.sorted, assume_unique=True)]
        if len(new):
            where = np.searchsorted(self.sorted, new)
            fresh = np.arange(len(self.sorted), len(self.sorted) + len(new), dtype=np.uint64)
            self.sorted = np.insert(self.sorted, where, new)
            self.numbers = np.insert(self.numbers, where, fresh)
        return self.numbers[np.searchsorted(self.sorted, each)][inverse]


class VectorSearch(PackedSearch):
    """Breadth-first search, chunk by chunk."""

    engine = "numpy"

    def begin(self) -> None:
        """Remember the states of the levels so far as visited."""
        self.found: list[Words] = []
        self.visited = KeySet()
        self._remember_anew()

    def _remember_anew(self) -> None:
        self.dictionaries = [_Numbered() for _ in range(2 * self.layout.words)]
        self.recent = RecentKeys()
        self.visited = KeySet()
        self.visited.grow(self._known(), self._everything())

    def _known(self) -> int:
        return sum(len(words[0]) for words in self.levels + self.found)

    def _everything(self) -> Iterator[np.ndarray]:
        for words in self.levels + self.found:
            for chunk in chunks(words):
                yield self.keys(chunk)

    def keys(self, words: Words) -> np.ndarray:
        """One key per state; equal keys mean equal states."""
        key = words[0]
        for place, word in enumerate(words[1:]):
            high = self.dictionaries[2 * place].of(key)
            key = high << HALF | self.dictionaries[2 * place + 1].of(word)
        return key

    def seen(self) -> int:
        """How many distinct states were found so far."""
        return self.visited.count

    def stored(self) -> int:
        """Bytes of levels, visited set and what this level has found."""
        return self.visited.nbytes + self.layout.state_bytes * self.seen()

    def level(self) -> None:
        """Expand the last level chunk by chunk."""
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
            if self.stop_here(start < size or bool(self.found)):
                return
        joined = [np.concatenate(words) for words in zip(*self.found, strict=True)]
        self.levels.append(joined or [np.empty(0, np.uint64) for _ in range(self.layout.words)])
        self.found = []

    def _keep_new(self, pieces: list[Words]) -> None:
        """Remember the successors that were not visited before."""
        rest_keys, rest = [], []
        for words in pieces:
            key = self.keys(words)
            other = self.recent.others(key)
            rest_keys.append(key.take(other))
            rest.append([word.take(other) for word in words] if len(words) > 1 else [])
        key = np.concatenate(rest_keys) if rest_keys else np.empty(0, np.uint64)
        if not self.visited.has_room(len(key)):
            self.visited.grow(len(key), self._everything())
        new = self.visited.add(key)
        if len(new):
            self.found.append([new] if self.layout.words == 1 else _chosen(key, new, rest))

    def moved(self, older: Layout) -> None:
        """Bring levels and findings of this level into the present layout."""
        self.levels = [self.move(level, older) for level in self.levels]
        self.found = [self.move(words, older) for words in self.found]
        self._remember_anew()


def _chosen(key: np.ndarray, wanted: np.ndarray, pieces: list[Words]) -> Words:
    """The words of the states with the wanted keys (sorted, each of them present)."""
    each, first = np.unique(key, return_index=True)
    where = first[np.searchsorted(each, wanted)]
    return [np.concatenate(words)[where] for words in zip(*pieces, strict=True)]
