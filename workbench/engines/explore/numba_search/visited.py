"""The set of visited states from Python: when it grows, and how it is rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from workbench.engines.explore.numba_search.memory import Slots
from workbench.engines.explore.numba_search.state_set import PART_BITS, PARTS, rehash, slots_of_bucket, stretch

FULL = 0.7  # largest load factor; linear probing gets slow beyond
SMALLEST = 20  # log2 of the slots of the smallest set
LOW = 4 << 10  # slots set aside while a part grows

#: Runs functions side by side.
Run = Callable[[Sequence[Callable[[], object]]], None]


class Visited:
    """2**bits slots for states of some words in PARTS equal parts; ``bits`` depends on the number of states alone."""

    def __init__(self, words: int) -> None:
        """A set without slots; :meth:`build` comes next."""
        self.span = (0,) * words
        self.bits = SMALLEST
        self.slots = Slots(0)

    def build(self, levels: Sequence[np.ndarray]) -> None:
        """Make slots for the states of all levels, which are rows of words."""
        while not self.has_room(sum(map(len, levels)), 0):
            self.bits += 1
        self.slots = Slots.taken(len(self.span) << self.bits - PART_BITS)
        self._fill(levels)

    @property
    def nbytes(self) -> int:
        """Bytes of the slots."""
        return 8 * len(self.span) << self.bits

    @property
    def most(self) -> int:
        """How many states it may hold."""
        return int(FULL * (1 << self.bits))

    def has_room(self, states: int, more: int) -> bool:
        """Whether it need not grow before more states are added to so many, ``more`` at the least."""
        return states <= self.most - max(1 << self.bits >> 6, more)

    def geometry(self) -> tuple[np.ndarray, int, int]:
        """The slots as the loops take them: words, log2 of the slots of a part, log2 of the words between parts."""
        return self.slots.words, self.bits - PART_BITS, self.slots.room.bit_length() - 1

    def grow(self, run: Run, everything: Callable[[], Sequence[np.ndarray]]) -> None:
        """Double the slots in place, or rebuild the set from ``everything`` that it holds."""
        self.bits += 1
        size = len(self.span) << self.bits - PART_BITS
        if size <= self.slots.room and self.bits - PART_BITS > LOW.bit_length():
            self.slots.use(size)
            moved: list[bool] = []
            run([partial(self._stretch, part, moved) for part in range(PARTS)])
            if all(moved):
                return
        self.slots.give_back()
        self.slots = Slots.taken(size)
        self._fill(everything())

    def _stretch(self, part: int, moved: list[bool]) -> None:
        words, bits = len(self.span), self.bits - PART_BITS
        size = slots_of_bucket(self.span)
        low, bucket = np.empty((LOW, words), np.uint64), np.empty((size, words), np.uint64)
        filled = np.zeros((1 << bits) // size, np.uint8)
        moved.append(stretch(self.slots.part(part).reshape(-1, words), bits - 1, bits, low, bucket, filled, self.span))

    def _fill(self, levels: Sequence[np.ndarray]) -> None:
        for level in levels:
            rehash(level, *self.geometry(), self.span)

    def give_back(self) -> None:
        """Keep the memory for another search; this set is not used again."""
        self.slots.give_back()
        self.slots = Slots(0)
