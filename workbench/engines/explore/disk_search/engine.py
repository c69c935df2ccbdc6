"""The engine out of core: a level is expanded into files, then each part of the visited states is looked through once.

Delayed duplicate detection, as in Stern and Dill, "Using magnetic disk instead of main memory in the Murphi verifier"
(CAV 1998), with visited states in parts by hash, so that one part at a time is in memory. Everything else, tables,
counts and traces, is that of the NumPy engine. docs/decisions/0019 says why disk, and not other machines' memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from workbench.engines.explore.disk_search.files import Levels, Visited, Waiting
from workbench.engines.explore.numpy_search.state_set import RecentStates
from workbench.engines.explore.reduction import Reduction
from workbench.engines.explore.search import Limits
from workbench.engines.explore.space import Space
from workbench.engines.explore.tables.bit_layout import Layout, Words
from workbench.engines.explore.tables.local_tables import Outgrown
from workbench.engines.explore.tables.packed_search import CHUNK, PackedSearch, chunks


class DiskSearch(PackedSearch):
    """Breadth-first search whose states are in files of ``folder``, which has to exist."""

    engine = "disk"

    def __init__(self, space: Space, limits: Limits, reduction: Reduction | None, folder: Path) -> None:
        super().__init__(space, limits, reduction)
        self._folder = folder

    def begin(self) -> None:
        """Move the levels so far into files, and mark their states as visited."""
        self.waiting = Waiting(self._folder, self.layout.words)
        self._take(self.levels, self.waiting)

    def _take(self, levels: Iterable[Words], waiting: Waiting, older: Layout | None = None) -> None:
        """Put levels and waiting states, which ``older`` packed if it is given, into new files."""
        where = (self._folder, self.layout.words)
        files, later, visited = Levels(*where), Waiting(*where), Visited(*where)
        for number, level in enumerate(levels):
            if number:
                files.begin_next()
            for chunk in chunks(level):
                states = [np.array(word) for word in chunk]
                files.extend(states if older is None else self.move(states, older))
        for level in files:
            for chunk in chunks(level):
                later.add(chunk)
        for part, states in later.parts():
            visited.add(part, states)
        visited.put_away()
        later.clear()
        for _, states in waiting.parts():
            later.add(states if older is None else self.move(states, older))
        self.levels = files  # type: ignore[assignment]  # a sequence of levels to its readers
        self._files, self.waiting, self.visited = files, later, visited
        self.recent = RecentStates(self.layout.words)

    def seen(self) -> int:
        """How many distinct states were found so far."""
        return self.visited.count

    def stored(self) -> int:
        """Bytes in the files."""
        return self.visited.nbytes + self._files.nbytes + self.waiting.nbytes

    def level(self) -> None:
        """Expand the last level into the waiting states; then find out which of them are new."""
        last = self._files[-1]
        start, size = 0, len(last[0])
        while start < size:
            chunk = [np.array(word[start : start + CHUNK]) for word in last]
            try:
                expansion = self.walker.expand(chunk)
                after = [self.canonical(piece) for piece in expansion.pieces]
                self.count(chunk, expansion.enabled, expansion.met)
            except Outgrown:
                self.relayout()
                last = self._files[-1]
                continue
            start += CHUNK
            for words in after:
                other = self.recent.others(words)
                if len(other):
                    self.waiting.add([word.take(other) for word in words])
            if self.stop_here(start < size):
                return
        self._settle()

    def _settle(self) -> None:
        """Make the next level of the waiting states that were not visited before."""
        self._files.begin_next()
        for part, states in self.waiting.parts():
            new = self.visited.add(part, states)
            if len(new[0]):
                self._files.extend(new)
        self.visited.put_away()
        self.waiting.clear()
        self.stop_here(len(self._files[-1][0]) > 0)

    def moved(self, older: Layout) -> None:
        """Repack the levels and the waiting states into the present layout."""
        self._take(self._files, self.waiting, older)
