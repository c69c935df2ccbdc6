"""The compiled set of visited states: open addressing with linear probing, in one array of rows of words.

Rule kept here: the mark TAG in the first word tells an occupied slot from an empty one, which is all zero.
`span` is a tuple with one entry for each word of a state, so that its length is known when a loop is compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engines.explore.numba_search.compiling import loop

TAG = np.uint64(1 << 63)  # a word of a state has at most 63 bits
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
RECENT = 15  # log2 of the slots of the filter of recent states
OUT, TOTAL, TRANSITIONS, STUCK, CLASH = range(5)  # indices into the counters
ONE = np.uint64(1)


@loop(inline="always")
def _hashed(states: Any, index: Any, down: Any, span: Any) -> Any:
    """The home slot of a state, with its mark or without, in a table of 2**(64 - down) slots."""
    mixed = (states[index, 0] | TAG) * SPREAD
    for word in range(1, len(span)):
        mixed = ((mixed >> np.uint64(32)) ^ mixed ^ states[index, word]) * SPREAD
    return mixed >> down


@loop(inline="always")
def _differs(states: Any, index: Any, table: Any, slot: Any, tag: Any, span: Any) -> Any:
    """Whether a slot of a table is empty or holds another state."""
    other = table[slot, 0] != states[index, 0] | tag
    for word in range(1, len(span)):
        other |= table[slot, word] != states[index, word]
    return other


@loop(inline="always")
def copied(source: Any, index: Any, target: Any, place: Any, tag: Any, span: Any) -> None:
    """Copy one state into a row of another array, with or without a mark."""
    target[place, 0] = source[index, 0] | tag
    for word in range(1, len(span)):
        target[place, word] = source[index, word]


@loop()
def not_recent(keys: Any, number: Any, recent: Any, span: Any) -> int:
    """Drop states seen a short while ago, which most are; returns how many are left.

    `recent` fits the second-level cache; without it each state would cost a cache miss in the visited set.
    """
    down = np.uint64(64 - RECENT)
    left = 0
    for index in range(number):
        slot = _hashed(keys, index, down, span)
        other = _differs(keys, index, recent, slot, TAG, span)
        copied(keys, index, recent, slot, TAG, span)
        copied(keys, index, keys, left, np.uint64(0), span)
        left += other
    return left


@loop()
def insert(keys: Any, number: Any, visited: Any, bits: Any, out: Any, counters: Any, span: Any) -> None:
    """Add the first `number` states to the visited set; new ones also to the next level."""
    last = np.uint64(len(visited) - 1)
    down = np.uint64(64 - bits)
    # Independent reads first: their cache misses overlap. States found at their home slot are dropped here.
    left = 0
    for index in range(number):
        other = _differs(keys, index, visited, _hashed(keys, index, down, span), TAG, span)
        copied(keys, index, keys, left, np.uint64(0), span)
        left += other
    total, at = counters[TOTAL], counters[OUT]
    for index in range(left):
        slot = _hashed(keys, index, down, span)
        while visited[slot, 0] and _differs(keys, index, visited, slot, TAG, span):
            slot = (slot + ONE) & last
        if not visited[slot, 0]:
            copied(keys, index, visited, slot, TAG, span)
            copied(keys, index, out, at, np.uint64(0), span)
            at += 1
            total += 1
    counters[TOTAL], counters[OUT] = total, at


@loop()
def rehash(states: Any, visited: Any, bits: Any, span: Any) -> None:
    """Insert distinct states into a visited set."""
    last = np.uint64(len(visited) - 1)
    down = np.uint64(64 - bits)
    for index in range(len(states)):
        slot = _hashed(states, index, down, span)
        while visited[slot, 0]:
            slot = (slot + ONE) & last
        copied(states, index, visited, slot, TAG, span)


@loop()
def stretch(visited: Any, older: Any, bits: Any, low: Any, block: Any, span: Any) -> bool:
    """Move the states of a set that had 2**older slots and has grown in place to their new slots.

    A home slot is the upper bits of a product, so its number at least doubles: moved from the end, block by block,
    every state goes beyond all states still to be moved. Those at the beginning, which do not, are kept in `low`
    meanwhile. Unlike inserting every state again, this reads and writes memory in order. Returns False if a state is
    too far from its home slot, or the end of the set too full, for this to work; the set must then be rebuilt.
    """
    down, last = np.uint64(64 - bits), np.uint64(len(visited) - 1)
    first = len(low)
    waiting = _taken(visited, 0, first, low, span)
    for start in range((1 << older) - len(block), first - 1, -len(block)):
        for index in range(_taken(visited, start, len(block), block, span) - 1, -1, -1):
            place = _hashed(block, index, down, span)
            slot = place
            while visited[slot, 0]:
                slot = (slot + ONE) & last
            if place < start or first <= slot < place:
                return False
            copied(block, index, visited, slot, np.uint64(0), span)
    rehash(low[:waiting], visited, bits, span)
    return True


@loop()
def _taken(visited: Any, start: Any, slots: Any, block: Any, span: Any) -> int:
    """Move all states of some slots to `block`; returns how many they are."""
    taken = 0
    for slot in range(start, start + slots):
        copied(visited, slot, block, taken, np.uint64(0), span)
        taken += visited[slot, 0] != 0
        visited[slot, 0] = 0
    return taken
