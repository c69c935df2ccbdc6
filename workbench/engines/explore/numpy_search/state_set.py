"""A set of packed states with open addressing; whole arrays are looked up and inserted by NumPy.

Rule kept here: one pass of NumPy per probe, over the states that have no slot yet. If two states try the same
empty slot in one pass, the array write decides, and the other state tries the next slot. A state's first word
has at most 63 bits; the mark in the highest bit tells an occupied slot from an empty one, which is 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.engines.explore.tables.bit_layout import Words

TAG = np.uint64(1 << 63)
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
HALF = np.uint64(32)
FULL = 0.6  # largest load factor; linear probing gets slow beyond
LARGE = 22  # log2 of the slots from which on a set grows by a factor of 2, not 4
SIGNED = 18  # log2 of the size of the array in which duplicates among new states are found
RECENT = 20  # log2 of the slots of the filter of recent states


class StateSet:
    """States seen so far; `count` of them, in `nbytes` bytes."""

    def __init__(self, words: int, bits: int = 12) -> None:
        self.words = words
        self.bits = bits
        self.slots = _empty(words, bits)
        self.signed = np.empty(1 << SIGNED, np.int64)
        self.count = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the table."""
        return self.words * self.slots[0].nbytes

    def add(self, states: Words) -> np.ndarray:
        """Add states; returns the indices of those that are new, each state once. Call `has_room` first."""
        rest, slot = _marked(states), home_slots(states, self.bits)
        index = np.arange(len(slot))
        fresh = [index[:0]]
        while len(index):
            other = np.flatnonzero(_differ(self.slots, slot, rest))
            rest, slot, index = _taken(rest, other), slot.take(other), index.take(other)
            self._reach(rest, slot)
            unsettled = _differ(self.slots, slot, rest)
            fresh += self._each_once(slot, index, np.flatnonzero(~unsettled))
            left = np.flatnonzero(unsettled)
            rest, index = _taken(rest, left), index.take(left)
            slot = self._next(slot.take(left))
        new = np.concatenate(fresh)
        self.count += len(new)
        return new

    def _reach(self, states: Words, slot: np.ndarray) -> None:
        """Write states into those of their slots that are empty."""
        empty = np.flatnonzero(self.slots[0].take(slot) == 0)
        where = slot.take(empty)
        for slots, word in zip(self.slots, states, strict=True):
            slots[where] = word.take(empty)

    def _each_once(self, slot: np.ndarray, index: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
        """Indices of the chosen states, one for each slot: the last one written to its place in `signed`."""
        once = []
        while len(chosen):
            place = slot.take(chosen) & (len(self.signed) - 1)
            self.signed[place] = chosen
            last = self.signed.take(place)
            once.append(index.take(chosen.take(np.flatnonzero(last == chosen))))
            late = np.flatnonzero(last != chosen)
            last, chosen = last.take(late), chosen.take(late)
            chosen = chosen.take(np.flatnonzero(slot.take(last) != slot.take(chosen)))
        return once

    def has_room(self, more: int) -> bool:
        """Whether `more` states can be added without growing."""
        return self.count + more <= FULL * len(self.slots[0])

    def grow(self, more: int, everything: Iterable[Words]) -> None:
        """Make room for more states; `everything` yields all states of the set, each once, to be inserted again."""
        while self.count + more > FULL * (1 << self.bits):
            self.bits += 1 if self.bits >= LARGE else 2
        self.slots = []  # free the old table first
        self.slots = _empty(self.words, self.bits)
        self.count = 0
        for states in everything:
            self._place(states)

    def _place(self, states: Words) -> None:
        """Insert states that are known to be distinct and new."""
        rest, slot = _marked(states), home_slots(states, self.bits)
        self.count += len(slot)
        while len(slot):
            self._reach(rest, slot)
            left = np.flatnonzero(_differ(self.slots, slot, rest))
            rest, slot = _taken(rest, left), self._next(slot.take(left))

    def states(self) -> Words:
        """All states, in the order of their slots."""
        taken = np.flatnonzero(self.slots[0])
        return [self.slots[0].take(taken) & ~TAG, *_taken(self.slots[1:], taken)]

    def take_up(self, slots: Words, count: int) -> None:
        """Go on with the slots of another set, which has `count` states."""
        self.slots, self.count, self.bits = slots, count, len(slots[0]).bit_length() - 1

    def _next(self, slot: np.ndarray) -> np.ndarray:
        return (slot + 1) & (len(self.slots[0]) - 1)


class RecentStates:
    """The states seen a short while ago, not all of them: most successors are found again at once."""

    def __init__(self, words: int) -> None:
        self.slots = _empty(words, RECENT)

    def others(self, states: Words) -> np.ndarray:
        """The indices of states that are not known to be recent; they are recent from now on."""
        slot, marked = home_slots(states, RECENT), _marked(states)
        other = np.flatnonzero(_differ(self.slots, slot, marked))
        where = slot.take(other)
        for slots, word in zip(self.slots, marked, strict=True):
            slots[where] = word.take(other)
        return other


def _empty(words: int, bits: int) -> Words:
    return [np.zeros(1 << bits, np.uint64) for _ in range(words)]


def _marked(states: Words) -> Words:
    return [states[0] | TAG, *states[1:]]


def _taken(states: Words, chosen: np.ndarray) -> Words:
    return [word.take(chosen) for word in states]


def _differ(slots: Words, slot: np.ndarray, states: Words) -> np.ndarray:
    """Whether each state's slot is empty or holds another state."""
    differ: np.ndarray = slots[0].take(slot) != states[0]
    for words, word in zip(slots[1:], states[1:], strict=True):
        differ |= words.take(slot) != word
    return differ


def home_slots(states: Words, bits: int) -> np.ndarray:
    """The home slots: the upper bits of a product, into which each further word is mixed."""
    hashed = states[0] * SPREAD
    for word in states[1:]:
        hashed ^= hashed >> HALF
        hashed ^= word
        hashed *= SPREAD
    hashed >>= np.uint64(64 - bits)
    return hashed.view(np.int64)
