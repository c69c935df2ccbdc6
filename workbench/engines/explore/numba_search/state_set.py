"""The compiled set of visited states, which threads share: open addressing with linear probing, in rows of words.

Rules kept here: the mark TAG in every word of an occupied slot tells it from an empty one, which is all zero. A slot is
claimed by a compare-and-swap of its first word; the other words are stored after it, and who meets the first word waits
for them. The set is `PARTS` parts, chosen by the upper bits of the hash, each at the beginning of 2**stride words, so
that all can grow in place at the same time. `span` is a tuple with one entry for each word of a state, so that its
length is known when a loop is compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engines.explore.numba_search import atoms
from workbench.engines.explore.numba_search.atoms import (
    added,
    equal,
    equal_and_zero,
    loaded,
    lowest,
    prefetched,
    stored,
    swapped,
)
from workbench.engines.explore.numba_search.compiling import loop

TAG = np.uint64(1 << 63)  # a word of a state has at most 63 bits
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
RECENT = 15  # log2 of the slots of the filter of recent states
PART_BITS = 4
PARTS = 1 << PART_BITS
OUT, NEXT, STOP = 0, 8, 16  # places in `shared`, each in a cache line of its own
ONE = np.uint64(1)
EMPTY = np.uint64(0)
_UPPER, _HALF = np.uint64(PART_BITS), np.uint64(32)
_ABOVE, _FILTER = np.uint64(64 - PART_BITS), np.uint64(64 - RECENT)


@loop(inline="always")
def hash_of(states: Any, index: Any, span: Any) -> Any:
    """The hash of a state, with its marks or without."""
    mixed = (states[index, 0] | TAG) * SPREAD
    for word in range(1, len(span)):
        mixed = ((mixed >> _HALF) ^ mixed ^ (states[index, word] | TAG)) * SPREAD
    return mixed


@loop(inline="always")
def copied(source: Any, index: Any, target: Any, place: Any, tag: Any, span: Any) -> None:
    """Copy one state into a row of another array, with or without marks."""
    for word in range(len(span)):
        target[place, word] = source[index, word] | tag


@loop()
def not_recent(keys: Any, hashes: Any, number: Any, recent: Any, span: Any) -> int:
    """Drop states seen a short while ago, which most are; returns how many are left, with their hashes.

    `recent` fits the second-level cache; without it each state would cost a cache miss in the visited set.
    """
    left = 0
    for index in range(number):
        mixed = hash_of(keys, index, span)
        slot = mixed >> _FILTER
        other = False
        for word in range(len(span)):
            other |= recent[slot, word] != keys[index, word] | TAG
        copied(keys, index, recent, slot, TAG, span)
        copied(keys, index, keys, left, EMPTY, span)
        hashes[left] = mixed
        left += other
    return left


@loop(inline="always")
def slots_of_bucket(span: Any) -> Any:
    """The number of slots of a bucket: as many as one comparison looks at, a power of two."""
    return atoms.LANES // len(span) or 1


@loop(inline="always")
def home_of(hashed: Any, bits: Any, span: Any) -> Any:
    """The first slot of the bucket of a hash, in a part of 2**bits slots."""
    slot = np.int64((hashed << _UPPER) >> np.uint64(64 - bits))
    return slot & -slots_of_bucket(span)


@loop(inline="always")
def _starts(span: Any) -> Any:
    """Which of atoms.LANES words are the first of a slot of the bucket that begins with them."""
    found = ONE
    for slot in range(1, slots_of_bucket(span)):
        found |= ONE << np.uint64(slot * len(span))
    return found


@loop(inline="always")
def _places(hashes: Any, number: Any, visited: Any, bits: Any, stride: Any, span: Any) -> None:
    """Replace hashes by the places in `visited` of the home buckets; their cache misses begin here, and overlap."""
    for index in range(number):
        part = np.int64(hashes[index] >> _ABOVE) << np.int64(stride)
        at = part + home_of(hashes[index], bits, span) * len(span)
        hashes[index] = np.uint64(at)
        prefetched(visited, at)


@loop(inline="always")
def _in_bucket(keys: Any, index: Any, visited: Any, at: Any, span: Any) -> Any:
    """Where the state is in the bucket at a place, as a bit: 0 if it is not there, or not yet in all words."""
    found = _starts(span)
    for word in range(len(span)):
        found &= equal(visited, at + word, keys[index, word] | TAG)
    return found


@loop(inline="always")
def _known_at_home(keys: Any, hashes: Any, number: Any, visited: Any, span: Any) -> int:
    """Drop the states that are found in their home buckets; returns how many are left."""
    left = 0
    for index in range(number):
        found = _in_bucket(keys, index, visited, np.int64(hashes[index]), span)
        copied(keys, index, keys, left, EMPTY, span)
        hashes[left] = hashes[index]
        left += found == EMPTY
    return left


@loop(inline="always")
def _holds(keys: Any, index: Any, visited: Any, slot: Any, span: Any) -> Any:
    """Whether a slot whose first word is that of a state holds this state; waits for words still to be stored."""
    same = True
    for word in range(1, len(span)):
        other = loaded(visited, slot + word)
        while other == EMPTY:
            other = loaded(visited, slot + word)
        same &= other == keys[index, word] | TAG
    return same


@loop()
def _is_new(keys: Any, index: Any, visited: Any, home: Any, first: Any, end: Any, span: Any) -> bool:
    """Add one state unless the set has it; its part is from `first` to `end`.

    Slots of a bucket are claimed in their order and never given back, so a state is behind no free slot. Which slots
    may hold it and which are free is known from one load: from two, a slot in which another thread stores the state
    between them would be neither.
    """
    at, key = home, keys[index, 0] | TAG
    while True:
        alike, free = equal_and_zero(visited, at, key)
        alike &= _starts(span)
        free &= _starts(span)
        while alike:
            if _holds(keys, index, visited, at + lowest(alike), span):
                return False
            alike &= alike - ONE
        if free:
            slot = at + lowest(free)
            if swapped(visited, slot, EMPTY, key) == EMPTY:
                for word in range(1, len(span)):
                    stored(visited, slot + word, keys[index, word] | TAG)
                return True
        else:
            at += slots_of_bucket(span) * len(span)
            if at == end:
                at = first


@loop(nogil=True)
def insert(
    keys: Any, hashes: Any, number: Any, visited: Any, bits: Any, stride: Any, out: Any, shared: Any, span: Any
) -> None:
    """Add the first `number` states to the set, whose parts have 2**bits slots; new ones also to `out`."""
    _places(hashes, number, visited, bits, stride, span)
    left = _known_at_home(keys, hashes, number, visited, span)
    new, size = 0, np.int64(len(span)) << np.int64(bits)
    for index in range(left):
        home = np.int64(hashes[index])
        first = home >> stride << stride
        if _is_new(keys, index, visited, home, first, first + size, span):
            copied(keys, index, keys, new, EMPTY, span)
            new += 1
    if new:
        begin = added(shared, OUT, np.int64(new))
        for index in range(new):
            copied(keys, index, out, begin + index, EMPTY, span)


@loop(nogil=True)
def rehash(states: Any, visited: Any, bits: Any, stride: Any, span: Any) -> None:
    """Insert distinct states into a set that no other thread uses."""
    last = (1 << bits) - 1
    for index in range(len(states)):
        mixed = hash_of(states, index, span)
        first, slot = np.int64(mixed >> _ABOVE) << stride, home_of(mixed, bits, span)
        while visited[first + slot * len(span)]:
            slot = (slot + 1) & last
        for word in range(len(span)):
            visited[first + slot * len(span) + word] = states[index, word] | TAG


@loop(nogil=True)
def stretch(part: Any, older: Any, bits: Any, low: Any, bucket: Any, filled: Any, span: Any) -> bool:
    """Move the states of a part (as rows) that had 2**older slots and has grown in place to their new buckets.

    A home slot is upper bits of a product, so its number at least doubles: moved from the end, bucket by bucket,
    every state goes beyond all states still to be moved. Those at the beginning, which do not, are kept in `low`
    meanwhile. Unlike inserting every state again, this reads and writes memory in order, and the new half need not be
    zero before. `filled`: how many slots of each bucket are taken, at first none. Returns False if a state is too far
    from its home bucket, or the end of the part too full, for this to work; the set must then be rebuilt.
    """
    first, half, clear = len(low), 1 << older, len(part)
    waiting = _taken(part, 0, first, low, span)
    for start in range(half - len(bucket), first - 1, -len(bucket)):
        ahead = max(half, 2 * start - first)  # states that lie behind their home bucket come before it
        _cleared(part, ahead, clear - ahead, span)
        clear = ahead
        for index in range(_taken(part, start, len(bucket), bucket, span)):
            slot = _free_slot(bucket, index, bits, filled, span)
            if first <= slot < start or half <= slot < clear:
                return False
            copied(bucket, index, part, slot, EMPTY, span)
    for index in range(waiting):
        copied(low, index, part, _free_slot(low, index, bits, filled, span), EMPTY, span)
    return True


@loop(inline="always")
def _free_slot(states: Any, index: Any, bits: Any, filled: Any, span: Any) -> Any:
    """Take the first free slot for a state, by how many slots of each bucket are taken."""
    size = slots_of_bucket(span)
    number = home_of(hash_of(states, index, span), bits, span) // size
    while filled[number] == size:
        number = (number + 1) & (len(filled) - 1)
    slot = number * size + filled[number]
    filled[number] += 1
    return slot


@loop(inline="always")
def _taken(part: Any, start: Any, slots: Any, block: Any, span: Any) -> int:
    """Move all states of some slots to `block`; returns how many they are."""
    taken = 0
    for slot in range(start, start + slots):
        copied(part, slot, block, taken, EMPTY, span)
        taken += part[slot, 0] != 0
    _cleared(part, start, slots, span)
    return taken


@loop(inline="always")
def _cleared(part: Any, start: Any, slots: Any, span: Any) -> None:
    """Make slots zero in all words: who meets a first word waits until the others are not zero."""
    for slot in range(start, start + slots):
        for word in range(len(span)):
            part[slot, word] = EMPTY
