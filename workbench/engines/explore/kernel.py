"""The compiled loops of the numba engine. They do not depend on a model, so they are compiled once and cached.

Rule kept here: everything is integer arithmetic on arrays made by `tables`; a key that a table does not know
is handed back to Python. All words are uint64: numba would turn a mix with signed integers into floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from workbench.engines.explore.bits import gather

TAG = np.uint64(1 << 63)  # marks an occupied slot: a state has at most 63 bits, an empty slot is 0
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
PENDING = -(1 << 31) + 1
RECENT = 15  # bits of the filter of recent keys
BLOCK = 128  # states whose successors are made before any of them is inserted
OUT, TOTAL, TRANSITIONS, STUCK, CLASH = range(5)  # places in the counters
ONE = np.uint64(1)


@njit(cache=True, inline="always")
def _find(state: Any, node: Any, nodes: Any, segments: Any, table: Any) -> Any:
    """The row for a state below a node; or, negative, what stopped the lookup: (entry, node, key)."""
    while True:
        key = np.int64(gather(state, node, nodes, segments))
        entry = np.int64(table[nodes[node, 0] + key])
        if entry >= 0 or entry <= PENDING:
            return entry, node, key
        node = -1 - entry


@njit(cache=True)
def look_up(
    states: Any, roots: Any, simple: Any, lookup: Any, rows_info: Any, parts_info: Any, rows: Any, missing: Any
) -> int:
    """Fill `rows` with the row of every state and root; returns how many unknown keys were noted.

    The first `simple` roots belong to groups without parts.
    """
    nodes, segments, table = lookup
    first, count, _, _ = rows_info
    parts_first, parts_count, parts = parts_info
    missed = 0
    for index in range(len(states)):
        state = states[index]
        for group in range(len(roots)):
            row, node, key = _find(state, roots[group], nodes, segments, table)
            rows[index, group] = row
            if row < 0:
                missed = _note(row, node, key, nodes, table, missing, missed)
            elif group >= simple:
                for successor in range(first[row], first[row] + count[row]):
                    for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
                        part, node, key = _find(state, parts[place], nodes, segments, table)
                        if part < 0:
                            missed = _note(part, node, key, nodes, table, missing, missed)
            if missed == len(missing):
                return missed
    return missed


@njit(cache=True)
def _note(entry: Any, node: Any, key: Any, nodes: Any, table: Any, missing: Any, missed: Any) -> Any:
    """Remember an unknown key once."""
    if entry < PENDING:
        table[nodes[node, 0] + key] = PENDING
        missing[missed, 0] = node
        missing[missed, 1] = key
        return missed + 1
    return missed


@njit(cache=True)
def _least(number: Any, keys: Any, moves: Any) -> None:
    """Replace states by the least of all their renamed forms."""
    starts, shift, mask, to, offset, values = moves
    for index in range(number):
        state = keys[index]
        best = state
        for renaming in range(len(starts) - 1):
            renamed = np.uint64(0)
            for move in range(starts[renaming], starts[renaming + 1]):
                piece = (state >> shift[move]) & mask[move]
                if offset[move] >= 0:
                    piece = values[offset[move] + np.int64(piece)]
                renamed |= piece << to[move]
            best = min(best, renamed)
        keys[index] = best


@njit(cache=True)
def _not_recent(keys: Any, number: Any, recent: Any) -> int:
    """Leave out keys seen a short while ago, which most are; returns how many are left.

    `recent` fits the second-level cache; without it each key would cost a miss in the visited set.
    """
    down = np.uint64(64 - RECENT)
    left = 0
    for index in range(number):
        key = keys[index]
        slot = (key * SPREAD) >> down
        keys[left] = key
        left += recent[slot] != key
        recent[slot] = key
    return left


@njit(cache=True)
def _with_parts(state: Any, successor: Any, masks: Any, parts_info: Any, lookup: Any, first: Any) -> Any:
    """What follows from a step with parts; and the root of a part that clashes, or -1."""
    keep, put = masks
    nodes, segments, table = lookup
    parts_first, parts_count, parts = parts_info
    kept, new = keep[successor], put[successor]
    for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
        row, _, _ = _find(state, parts[place], nodes, segments, table)
        part = first[row]
        if ~(kept | keep[part]):
            return state, np.int64(parts[place])
        kept &= keep[part]
        new |= put[part]
    return (state & kept) | new, np.int64(-1)


@njit(cache=True)
def _insert(keys: Any, seen: Any, number: Any, visited: Any, bits: Any, out: Any, counters: Any) -> None:
    """Add the first `number` keys to the visited set, new ones also to the next level."""
    last = np.uint64(len(visited) - 1)
    down = np.uint64(64 - bits)
    # Independent reads first: their cache misses overlap. What is found at once is dropped here.
    for index in range(number):
        seen[index] = visited[(keys[index] * SPREAD) >> down]
    left = 0
    for index in range(number):
        key = keys[index]
        keys[left] = key
        left += seen[index] != key | TAG
    total, at = counters[TOTAL], counters[OUT]
    for index in range(left):
        key = keys[index]
        slot = (key * SPREAD) >> down
        tagged = key | TAG
        present = visited[slot]
        while present != tagged and present:
            slot = (slot + ONE) & last
            present = visited[slot]
        if not present:
            visited[slot] = tagged
            out[at] = key
            at += 1
            total += 1
    counters[TOTAL], counters[OUT] = total, at


@njit(cache=True)
def rehash(keys: Any, visited: Any, bits: Any) -> None:
    """Insert distinct keys into a visited set."""
    last = np.uint64(len(visited) - 1)
    down = np.uint64(64 - bits)
    for key in keys:
        slot = (key * SPREAD) >> down
        while visited[slot]:
            slot = (slot + ONE) & last
        visited[slot] = key | TAG


@njit(cache=True)
def _count(state: Any, hits: Any, hit_counts: Any, hit_first: Any) -> None:
    bit = 0
    while hits:
        if hits & ONE:
            if hit_counts[bit] == 0:
                hit_first[bit] = state
            hit_counts[bit] += 1
        hits >>= ONE
        bit += 1


@njit(cache=True)
def _successors(
    states: Any,
    rows: Any,
    simple: Any,
    lookup: Any,
    rows_info: Any,
    masks: Any,
    parts_info: Any,
    keys: Any,
    counters: Any,
) -> int:
    """Write the successors of a block of states into `keys`; returns how many."""
    first, count, _, _ = rows_info
    keep, put = masks
    number = 0
    for index in range(len(states)):
        state = states[index]
        for group in range(simple):
            row = rows[index, group]
            start = first[row]
            for successor in range(start, start + count[row]):
                keys[number] = (state & keep[successor]) | put[successor]
                number += 1
        for group in range(simple, rows.shape[1]):
            row = rows[index, group]
            for successor in range(first[row], first[row] + count[row]):
                keys[number], clash = _with_parts(state, successor, masks, parts_info, lookup, first)
                number += 1
                if clash >= 0:
                    counters[CLASH] = clash
    return number


@njit(cache=True)
def _observe(
    states: Any, rows: Any, rows_info: Any, counters: Any, hit_counts: Any, hit_first: Any, stuck: Any
) -> None:
    """Count transitions and what the predicates met; note states in which nothing is enabled."""
    _, _, enabled, hits = rows_info
    for index in range(len(states)):
        able, met = np.int64(0), np.uint64(0)
        for group in range(rows.shape[1]):
            able += enabled[rows[index, group]]
            met |= hits[rows[index, group]]
        counters[TRANSITIONS] += able
        if met:
            _count(states[index], met, hit_counts, hit_first)
        if able == 0:
            stuck[counters[STUCK]] = states[index]
            counters[STUCK] += 1


@njit(cache=True)
def advance(
    states: Any,
    rows: Any,
    simple: Any,
    most: Any,
    lookup: Any,
    rows_info: Any,
    masks: Any,
    parts_info: Any,
    moves: Any,
    visited: Any,
    bits: Any,
    limit: Any,
    out: Any,
    keys: Any,
    seen: Any,
    recent: Any,
    counters: Any,
    hit_counts: Any,
    hit_first: Any,
    stuck: Any,
) -> int:
    """Insert the successors of the states, block by block; returns how many states were done.

    Stops early when the visited set (`limit` keys) or the next level could overflow; one block has at most
    `most` successors.
    """
    for start in range(0, len(states), BLOCK):
        if counters[OUT] + most > len(out) or counters[TOTAL] + most > limit:
            return start
        block, block_rows = states[start : start + BLOCK], rows[start : start + BLOCK]
        number = _successors(block, block_rows, simple, lookup, rows_info, masks, parts_info, keys, counters)
        if counters[CLASH] >= 0:
            return start
        if len(moves[0]) > 1:
            _least(number, keys, moves)
        number = _not_recent(keys, number, recent)
        _insert(keys, seen, number, visited, bits, out, counters)
        _observe(block, block_rows, rows_info, counters, hit_counts, hit_first, stuck)
    return len(states)
