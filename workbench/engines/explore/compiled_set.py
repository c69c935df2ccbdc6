"""The compiled set of visited states: open addressing with linear probing, in one array of rows of words.

Rule kept here: the mark TAG in the first word tells an occupied slot from an empty one, which is all zero.
`span` is a tuple with one entry for each word of a state, so that its length is known when a loop is compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

TAG = np.uint64(1 << 63)  # a word of a state has at most 63 bits
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
RECENT = 15  # bits of the filter of recent states
OUT, TOTAL, TRANSITIONS, STUCK, CLASH = range(5)  # places in the counters
ONE = np.uint64(1)


@njit(cache=True, inline="always")
def _hashed(states: Any, index: Any, down: Any, span: Any) -> Any:
    """Where a state belongs in a table of 2**(64 - down) slots."""
    mixed = states[index, 0] * SPREAD
    for word in range(1, len(span)):
        mixed = ((mixed >> np.uint64(32)) ^ mixed ^ states[index, word]) * SPREAD
    return mixed >> down


@njit(cache=True, inline="always")
def _differs(states: Any, index: Any, table: Any, slot: Any, tag: Any, span: Any) -> Any:
    """Whether a slot of a table holds another state, or none."""
    other = table[slot, 0] != states[index, 0] | tag
    for word in range(1, len(span)):
        other |= table[slot, word] != states[index, word]
    return other


@njit(cache=True, inline="always")
def copied(source: Any, index: Any, target: Any, place: Any, tag: Any, span: Any) -> None:
    """Write one state into a row of another array, with a mark or none."""
    target[place, 0] = source[index, 0] | tag
    for word in range(1, len(span)):
        target[place, word] = source[index, word]


@njit(cache=True)
def not_recent(keys: Any, number: Any, recent: Any, span: Any) -> int:
    """Leave out states seen a short while ago, which most are; returns how many are left.

    `recent` fits the second-level cache; without it each state would cost a miss in the visited set.
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


@njit(cache=True)
def insert(keys: Any, number: Any, visited: Any, bits: Any, out: Any, counters: Any, span: Any) -> None:
    """Add the first `number` states to the visited set, new ones also to the next level."""
    last = np.uint64(len(visited) - 1)
    down = np.uint64(64 - bits)
    # Independent reads first: their cache misses overlap. What is found at once is dropped here.
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


@njit(cache=True)
def rehash(states: Any, visited: Any, bits: Any, span: Any) -> None:
    """Insert distinct states into a visited set."""
    last = np.uint64(len(visited) - 1)
    down = np.uint64(64 - bits)
    for index in range(len(states)):
        slot = _hashed(states, index, down, span)
        while visited[slot, 0]:
            slot = (slot + ONE) & last
        copied(states, index, visited, slot, TAG, span)
