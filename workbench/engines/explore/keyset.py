"""A set of 63-bit keys that is asked and filled with whole arrays: open addressing without a compiler.

Rule kept here: one pass of NumPy per probe, over the keys that are not settled yet. Two keys may reach for
the same empty slot in one pass; the array write decides, and the loser goes on to the next slot.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

TAG = np.uint64(1 << 63)  # marks an occupied slot; an empty one is 0
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
FULL = 0.6  # linear probing gets slow beyond
LARGE = 22  # bits of a set from which on it only doubles
RECENT = 20  # bits of the filter of recent keys


class KeySet:
    """Keys seen so far; `count` of them, in `nbytes` bytes."""

    def __init__(self, bits: int = 12) -> None:
        self.bits = bits
        self.slots = np.zeros(1 << bits, np.uint64)
        self.count = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the table."""
        return self.slots.nbytes

    def add(self, keys: np.ndarray) -> np.ndarray:
        """Add keys; returns those that are new, sorted and each once. Call `has_room` first."""
        key = keys | TAG
        slot = self._home(key)
        fresh = []
        while len(key):
            present = self.slots.take(slot)
            other = np.flatnonzero(present != key)
            key, slot = key.take(other), slot.take(other)
            empty = np.flatnonzero(present.take(other) == 0)
            self.slots[slot.take(empty)] = key.take(empty)
            settled = self.slots.take(slot) == key
            fresh.append(key.take(np.flatnonzero(settled)))
            unsettled = np.flatnonzero(~settled)
            key = key.take(unsettled)
            slot = (slot.take(unsettled) + 1) & (len(self.slots) - 1)
        new = distinct(np.concatenate(fresh)) if fresh else keys[:0]
        self.count += len(new)
        return new & ~TAG

    def has_room(self, more: int) -> bool:
        """Whether so many keys may be added."""
        return self.count + more <= FULL * len(self.slots)

    def grow(self, more: int, everything: Iterable[np.ndarray]) -> None:
        """Make room for more keys; `everything` gives all keys of the set, each once, to insert them anew."""
        while self.count + more > FULL * (1 << self.bits):
            self.bits += 1 if self.bits >= LARGE else 2
        self.slots = np.empty(0, np.uint64)  # let the old table go first
        self.slots = np.zeros(1 << self.bits, np.uint64)
        self.count = 0
        for keys in everything:
            self._place(keys)

    def _place(self, keys: np.ndarray) -> None:
        """Insert keys that are known to be distinct and new."""
        self.count += len(keys)
        key = keys | TAG
        slot = self._home(key)
        while len(key):
            empty = np.flatnonzero(self.slots.take(slot) == 0)
            self.slots[slot.take(empty)] = key.take(empty)
            unsettled = np.flatnonzero(self.slots.take(slot) != key)
            key = key.take(unsettled)
            slot = (slot.take(unsettled) + 1) & (len(self.slots) - 1)

    def _home(self, key: np.ndarray) -> np.ndarray:
        return _hashed(key, self.bits)


class RecentKeys:
    """The keys seen a short while ago, not all of them: most successors are found again at once."""

    def __init__(self) -> None:
        self.slots = np.zeros(1 << RECENT, np.uint64)

    def others(self, key: np.ndarray) -> np.ndarray:
        """The indices of keys that are not known to be recent; they are recent from now on."""
        key = key | TAG
        slot = _hashed(key, RECENT)
        other = np.flatnonzero(self.slots.take(slot) != key)
        self.slots[slot.take(other)] = key.take(other)
        return other


def _hashed(key: np.ndarray, bits: int) -> np.ndarray:
    """The upper bits of a product; the mark above the key does not reach them evenly, and need not."""
    hashed = key * SPREAD
    hashed >>= np.uint64(64 - bits)
    return hashed.view(np.int64)


def distinct(values: np.ndarray) -> np.ndarray:
    """The values sorted, each once."""
    values = np.sort(values)
    new = np.empty(len(values), bool)
    new[:1] = True
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return values if new.all() else values[new]
