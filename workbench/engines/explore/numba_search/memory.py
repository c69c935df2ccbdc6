"""The memory of a search: a set that grows in place, and levels one after the other. It is kept for the next search.

The first touch of a page costs a microsecond or more, which is most of the time of growing a set; a process that
searches again (a notebook, a matrix of hundreds of searches) does not pay it again. Rule kept here: what is given back
is used by nobody any more, and at most KEPT bytes of each kind wait for the next search.
"""

from __future__ import annotations

import numpy as np

from workbench.engines.explore.numba_search.atoms import LANES
from workbench.engines.explore.numba_search.state_set import PARTS

KEPT = 512 << 20  # bytes
BEHIND = 6  # how often a set may double in place
BLOCK = 1 << 24  # words of a block, if there are so many addresses: untouched pages take no memory
HUGE_PAGE = 2 << 20  # bytes; NumPy asks Linux for such pages

_sets: list[Slots] = []
_blocks: list[np.ndarray] = []


class Slots:
    """The words of a set in PARTS parts, of which the first `used` words of each are in use."""

    def __init__(self, size: int) -> None:
        """Allocate `size` words for each part, and reserve addresses for more: untouched pages take no memory."""
        size = 1 << (size - 1).bit_length() if size else 0  # so that the beginning of a part is found by a shift
        try:
            self.words = _zeros(PARTS * size << BEHIND)
        except MemoryError:
            self.words = _zeros(PARTS * size)
        self.dirty = self.used = 0

    @property
    def room(self) -> int:
        """The words from one part to the next."""
        return len(self.words) // PARTS

    def part(self, number: int) -> np.ndarray:
        """The used words of one part."""
        return self.words[number * self.room : number * self.room + self.used]

    def use(self, size: int) -> None:
        """Use `size` words of each part; what was not used before may hold anything."""
        self.used, self.dirty = size, max(size, self.dirty)

    @classmethod
    def taken(cls, size: int) -> Slots:
        """An empty set with room for `size` words in each part: a kept one, or a new one."""
        kept = _sets.pop() if _sets else None
        if kept is None or kept.room < size:
            del kept  # it is freed before another one is made
            kept = cls(size)
        stale = min(size, kept.dirty)
        kept.use(size)
        for number in range(PARTS):
            kept.part(number)[:stale] = 0
        return kept

    def give_back(self) -> None:
        """Keep this for the next search, unless there is one or it has become too large."""
        if self.dirty and not _sets and 8 * PARTS * self.dirty <= KEPT:
            _sets.append(self)


class Arena:
    """Memory for the levels of one search, in blocks; one level is never in two of them."""

    def __init__(self, words: int, blocks: list[np.ndarray]) -> None:
        """States have `words` words; `blocks` takes the blocks in use."""
        self.words = words
        self.blocks = blocks
        self.rows = np.empty((0, words), np.uint64)  #: the present block as rows of words
        self.begun = 0  #: where the present level begins

    def have(self, found: int, more: int) -> None:
        """Have room for `more` states behind those of this level, perhaps in another block, to which these move."""
        if self.begun + found + more <= len(self.rows):
            return
        size = (found + more) * self.words
        largest = max(range(len(_blocks)), key=lambda number: len(_blocks[number]), default=0)
        kept = _blocks and len(_blocks[largest]) >= size
        block = _blocks.pop(largest) if kept else _new(size, max(size, 2 * self.rows.size, BLOCK))
        rows = block[: len(block) // self.words * self.words].reshape(-1, self.words)
        rows[:found] = self.rows[self.begun : self.begun + found]
        self.blocks.append(block)
        self.rows, self.begun = rows, 0

    def finished(self, found: int) -> np.ndarray:
        """Return the states of the present level, and begin the next."""
        level = self.rows[self.begun : self.begun + found]
        self.begun += found
        return level


def _zeros(size: int) -> np.ndarray:
    """Zeros that begin where a large page does, so that parts do not touch two where one is enough.

    Behind them are as many words as are compared at once: a comparison may begin with any word.
    """
    found = np.zeros(size + HUGE_PAGE // 8 + LANES, np.uint64)
    first = -found.__array_interface__["data"][0] % HUGE_PAGE // 8
    return found[first : first + size]


def _new(needed: int, wanted: int) -> np.ndarray:
    try:
        return np.empty(wanted, np.uint64)
    except MemoryError:
        forget()
        return np.empty(needed, np.uint64)


def keep(blocks: list[np.ndarray]) -> None:
    """Keep the blocks of a search that nobody uses any more."""
    for block in blocks:
        if sum(known.nbytes for known in _blocks) + block.nbytes <= KEPT:
            _blocks.append(block)


def forget() -> None:
    """Free what is kept."""
    _sets.clear()
    _blocks.clear()
