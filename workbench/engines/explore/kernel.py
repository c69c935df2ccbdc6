"""The compiled loops of the numba engine. They do not depend on a model, so they are compiled once and cached.

Rule kept here: everything is integer arithmetic on arrays made by `tables`; a key that a table does not know
is handed back to Python. All words are uint64: numba would turn a mix with signed integers into floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)  # never a state: the engine uses at most 63 bits
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Knuth's multiplicative hash
PENDING = -(1 << 31) + 1
BLOCK = 128  # states whose successors are made before any of them is inserted
OUT, TOTAL, TRANSITIONS, STUCK, CLASH = range(5)  # places in the counters
ONE = np.uint64(1)
ZERO = np.uint64(0)


@njit(cache=True, inline="always")
def _find(state: Any, node: Any, nodes: Any, segments: Any, table: Any) -> Any:
    """The row for a state below a node; or, negative, what stopped the lookup: (entry, node, key)."""
    base, _leaf, first, count = nodes
    shift, mask, out = segments
    while True:
        key = np.uint64(0)
        for place in range(first[node], first[node] + count[node]):
            key |= ((state >> shift[place]) & mask[place]) << out[place]
        entry = np.int64(table[base[node] + np.int64(key)])
        if entry >= 0 or entry <= PENDING:
            return entry, node, np.int64(key)
        node = -1 - entry


@njit(cache=True)
def look_up(states: Any, roots: Any, composite: Any, nodes: Any, segments: Any, table: Any, rows_info: Any,
            parts_info: Any, rows: Any, missing: Any) -> int:
    """Fill `rows` with the row of every state and root; returns how many unknown keys were noted."""
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
            elif composite[group]:
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
        table[nodes[0][node] + key] = PENDING
        missing[missed, 0] = node
        missing[missed, 1] = key
        return missed + 1
    return missed


@njit(cache=True, inline="always")
def _least(state: Any, moves: Any) -> Any:
    """The least of a state and all its renamed forms."""
    starts, shift, mask, to, offset, values = moves
    best = state
    for renaming in range(len(starts) - 1):
        renamed = np.uint64(0)
        for move in range(starts[renaming], starts[renaming + 1]):
            piece = (state >> shift[move]) & mask[move]
            if offset[move] >= 0:
                piece = values[offset[move] + np.int64(piece)]
            renamed |= piece << to[move]
        best = min(best, renamed)
    return best


@njit(cache=True, inline="always")
def _with_parts(state: Any, successor: Any, keep: Any, put: Any, parts_info: Any, nodes: Any, segments: Any,
                table: Any, first: Any) -> Any:
    """The masks of a step merged with those of its parts; the root of a part that clashes, or -1."""
    parts_first, parts_count, parts = parts_info
    kept, new = keep[successor], put[successor]
    for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
        row, _, _ = _find(state, parts[place], nodes, segments, table)
        masks = first[row]
        if ~(kept | keep[masks]):
            return kept, new, np.int64(parts[place])
        kept &= keep[masks]
        new |= put[masks]
    return kept, new, np.int64(-1)


@njit(cache=True, inline="always")
def _insert(keys: Any, slots: Any, number: Any, visited: Any, out: Any, counters: Any) -> None:
    """Add the first `number` keys to the visited set, new ones also to the next level."""
    last = np.uint64(len(visited) - 1)
    total, at = counters[TOTAL], counters[OUT]
    for index in range(number):
        key, slot = keys[index], slots[index]
        present = visited[slot]
        while present != key and present != EMPTY:
            slot = (slot + ONE) & last
            present = visited[slot]
        if present == EMPTY:
            visited[slot] = key
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
        while visited[slot] != EMPTY:
            slot = (slot + ONE) & last
        visited[slot] = key


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
def advance(states: Any, rows: Any, composite: Any, nodes: Any, segments: Any, table: Any, rows_info: Any,
            masks: Any, parts_info: Any, moves: Any, visited: Any, bits: Any, limit: Any, out: Any,
            buffers: Any, counters: Any, hit_counts: Any, hit_first: Any, stuck: Any) -> int:
    """Insert the successors of the states, block by block; returns how many states were done.

    Stops early when the visited set (`limit` keys) or the next level could overflow.
    """
    first, count, enabled, hits = rows_info
    keep, put = masks
    keys, slots, seen = buffers
    groups = rows.shape[1]
    down = np.uint64(64 - bits)
    for start in range(0, len(states), BLOCK):
        stop = min(start + BLOCK, len(states))
        number = 0
        for index in range(start, stop):
            for group in range(groups):
                number += count[rows[index, group]]
        if number > len(keys) or counters[OUT] + number > len(out) or counters[TOTAL] + number > limit:
            return start
        number = 0
        for index in range(start, stop):
            state = states[index]
            able, met = np.int64(0), np.uint64(0)
            for group in range(groups):
                row = rows[index, group]
                able += enabled[row]
                met |= hits[row]
                for successor in range(first[row], first[row] + count[row]):
                    if composite[group]:
                        kept, new, clash = _with_parts(state, successor, keep, put, parts_info, nodes, segments,
                                                       table, first)
                        if clash >= 0:
                            counters[CLASH] = clash
                            return start
                        key = (state & kept) | new
                    else:
                        key = (state & keep[successor]) | put[successor]
                    if len(moves[0]) > 1:
                        key = _least(key, moves)
                    keys[number] = key
                    slots[number] = (key * SPREAD) >> down
                    number += 1
            counters[TRANSITIONS] += able
            if met:
                _count(state, met, hit_counts, hit_first)
            if able == 0:
                stuck[counters[STUCK]] = state
                counters[STUCK] += 1
        # Independent reads first: their cache misses overlap. What is already present is dropped here.
        left = 0
        for index in range(number):
            seen[index] = visited[slots[index]]
        for index in range(number):
            if seen[index] != keys[index]:
                keys[left], slots[left] = keys[index], slots[index]
                left += 1
        _insert(keys, slots, left, visited, out, counters)
    return len(states)
