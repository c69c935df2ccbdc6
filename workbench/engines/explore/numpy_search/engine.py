"""The NumPy engine: expands whole chunks of states; visited states are in a hash table made of arrays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.engines.explore.numpy_search.state_set import RecentStates, StateSet
from workbench.engines.explore.tables.bit_layout import Layout, Words
from workbench.engines.explore.tables.local_tables import Outgrown
from workbench.engines.explore.tables.packed_search import CHUNK, PackedSearch, chunks


class VectorSearch(PackedSearch):
    """Breadth-first search, chunk by chunk."""

    engine = "numpy"

    def begin(self) -> None:
        """Mark the states of the levels so far as visited."""
        self.found: list[Words] = []
        self._remember_anew()

    def _remember_anew(self) -> None:
        self.recent = RecentStates(self.layout.words)
        self.visited = StateSet(self.layout.words)
        self.visited.grow(self._known(), self._everything())

    def _known(self) -> int:
        return sum(len(words[0]) for words in self.levels + self.found)

    def _everything(self) -> Iterator[Words]:
        for words in self.levels + self.found:
            yield from chunks(words)

    def seen(self) -> int:
        """How many distinct states were found so far."""
        return self.visited.count

    def stored(self) -> int:
        """Bytes of the levels, the visited set and the states found in this level."""
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
                self.count(chunk, expansion.enabled, expansion.met)
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
        """Keep the successors that were not visited before."""
        rest = []
        for words in pieces:
            other = self.recent.others(words)
            rest.append([word.take(other) for word in words])
        if not rest:
            return
        states = [np.concatenate(words) for words in zip(*rest, strict=True)]
        if not self.visited.has_room(len(states[0])):
            self.visited.grow(len(states[0]), self._everything())
        new = self.visited.add(states)
        if len(new):
            self.found.append([word.take(new) for word in states])

    def moved(self, older: Layout) -> None:
        """Repack the levels and the states found in this level into the present layout."""
        self.levels = [self.move(level, older) for level in self.levels]
        self.found = [self.move(words, older) for words in self.found]
        self._remember_anew()
