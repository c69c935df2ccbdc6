"""Places each variable in a packed state: a bit field in one of its 64-bit words.

Rule kept here: packing is exact. Number 0 (the initial value) is all zero bits, so states packed before a
variable was found need no change; a domain that outgrows its field makes a new layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.search import State
from workbench.engines.explore.space import Space

WORD = 64
USED = 63  # bits of a word that hold fields; the highest one is left to mark occupied places in hash tables
Words = list[np.ndarray]  # one uint64 array per word, all of the same length


@dataclass(frozen=True)
class Segment:
    """Adjacent fields read together: `(word >> shift) & mask`, placed at bit `out` of a key."""

    word: int
    shift: int
    mask: int
    out: int


def bits_for(count: int) -> int:
    """How many bits tell `count` values apart; none for one value."""
    return (count - 1).bit_length()


class Layout:
    """Fields for all variables of a space, adjacent in the given order; no field crosses a word."""

    def __init__(self, space: Space, order: Sequence[int]) -> None:
        self.space = space
        self.order = list(order)
        self.width = _widths(space)
        self.word: list[int] = [0] * len(self.width)
        self.shift: list[int] = [0] * len(self.width)
        word = used = 0
        for var in self.order:
            if used + self.width[var] > USED:
                word, used = word + 1, 0
            self.word[var], self.shift[var] = word, used
            used += self.width[var]
        self.words = word + 1
        self.bits = word * WORD + used
        self.state_bytes = self.words * WORD // 8

    def fits(self, var: int, number: int) -> bool:
        """Whether a variable and a value number have a place here."""
        return var < len(self.width) and number >> self.width[var] == 0

    def segments(self, variables: Iterable[int]) -> tuple[list[Segment], list[tuple[int, int, int]]]:
        """How the fields of variables are gathered into one key, and where each is in it.

        Returns the segments, and (variable, shift in the key, mask) in key order.
        """
        chosen = sorted((v for v in variables if self.width[v]), key=lambda v: (self.word[v], self.shift[v]))
        segments: list[Segment] = []
        places: list[tuple[int, int, int]] = []
        out = 0
        for var in chosen:
            mask = (1 << self.width[var]) - 1
            last = segments[-1] if segments else None
            length = last.mask.bit_length() if last else 0
            if last and last.word == self.word[var] and last.shift + length == self.shift[var]:
                segments[-1] = Segment(last.word, last.shift, last.mask | mask << length, last.out)
            else:
                segments.append(Segment(self.word[var], self.shift[var], mask, out))
            places.append((var, out, mask))
            out += self.width[var]
        return segments, places

    def masks(self, writes: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
        """AND and OR masks, one per word, that write value numbers into their fields."""
        keep = [(1 << WORD) - 1] * self.words
        put = [0] * self.words
        for var, number in writes:
            keep[self.word[var]] &= ~(((1 << self.width[var]) - 1) << self.shift[var])
            put[self.word[var]] |= number << self.shift[var]
        return keep, put

    def pack(self, state: State) -> list[int]:
        """The words of a state."""
        return self.masks(enumerate(state))[1]

    def unpack(self, words: Sequence[int]) -> State:
        """The state of packed words."""
        return tuple(
            int(words[self.word[var]]) >> self.shift[var] & (1 << self.width[var]) - 1 for var in range(len(self.width))
        )

    def field(self, var: int, words: Words) -> np.ndarray:
        """The value numbers of one variable in many states."""
        mask = np.uint64((1 << self.width[var]) - 1)
        return (words[self.word[var]] >> np.uint64(self.shift[var] % WORD)) & mask

    def repack(self, words: Words, older: Layout) -> Words:
        """States that were packed by an older layout."""
        packed = [np.zeros(len(words[0]), np.uint64) for _ in range(self.words)]
        for var, width in enumerate(older.width):
            if width:
                packed[self.word[var]] |= older.field(var, words) << np.uint64(self.shift[var])
        return packed


def _widths(space: Space) -> list[int]:
    """The bits of each field: as few as its domain needs, more for slots, because new positions will be found."""
    widths = []
    for name, domain in zip(space.names, space.domains, strict=True):
        known: Any = len(domain.values)
        widths.append(bits_for(known + known // 4 if isinstance(name, SlotVar) else known))
    return widths
