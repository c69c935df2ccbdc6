"""What each thread of a search has for itself: buffers, the filter of recent states, and its tallies of one level."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engines.explore.numba_search.loops import BLOCK, CLASH, COUNTERS
from workbench.engines.explore.numba_search.state_set import RECENT

_LARGEST = np.uint64((1 << 64) - 1)  # no state has such a word


class Worker:
    """The buffers of one thread for states of ``words`` words."""

    def __init__(self, words: int) -> None:
        self.words = words
        self._recent = np.zeros((1 << RECENT, words), np.uint64)
        self.counters = np.zeros(COUNTERS, np.int64)
        self.met = np.zeros(0, np.int64)
        self.least = np.empty((0, words), np.uint64)
        self._states = np.empty((BLOCK, words), np.uint64)
        self._places = np.zeros(BLOCK, np.int64)
        self._able, self._scratch = np.zeros(BLOCK, np.int64), np.zeros(2 * words, np.uint64)
        self._fit(0, 0)

    def _fit(self, most: int, groups: int) -> None:
        self._rows = np.empty((groups, BLOCK), np.int32)
        self._keys, self._hashes = np.empty((most, self.words), np.uint64), np.empty(most, np.uint64)
        self._chosen = np.empty(most + 2, np.int64)  # two more may be written than there are

    def begin_level(self) -> None:
        """Nothing is counted yet."""
        self.counters[:] = 0
        self.counters[CLASH] = -1
        self.met = np.zeros(0, np.int64)
        self.least = np.empty((0, self.words), np.uint64)

    def fit(self, most: int, groups: int, observations: int) -> None:
        """Make room for a block with `most` successors, and for new observations; what was counted stays."""
        if most > len(self._keys) or groups != len(self._rows):
            self._fit(2 * most, groups)
        more = observations - len(self.met)
        if more > 0:
            self.met = np.append(self.met, np.zeros(more, np.int64))
            self.least = np.append(self.least, np.full((more, self.words), _LARGEST), axis=0)

    def own(self) -> tuple[Any, ...]:
        """All of it, in the order in which the loops take it."""
        block = (self._states, self._rows, self._places, self._able, self._scratch)
        return self._keys, self._hashes, self._chosen, self._recent, self.counters, self.met, self.least, block
