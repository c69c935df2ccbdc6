"""The compiled loops of the numba engine. They do not depend on a model, so they are compiled once and cached.

Rule kept here: everything is integer arithmetic on arrays made by `tables`; a key that a table does not know
is handed back to Python. States are rows of words. `span` is a tuple with one entry for each word of a state:
its length is known when a loop is compiled, so for one word there is no loop. All words are uint64: numba
would turn a mix with signed integers into floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engines.explore.numba_search.bits import gather
from workbench.engines.explore.numba_search.compiling import loop
from workbench.engines.explore.numba_search.state_set import (
    CLASH,
    OUT,
    STUCK,
    TOTAL,
    TRANSITIONS,
    copied,
    insert,
    not_recent,
)

PENDING = -(1 << 31) + 1
BLOCK = 128  # states whose successors are made before any of them is inserted


@loop(inline="always")
def _find(states: Any, index: Any, node: Any, lookup: Any, span: Any) -> Any:
    """Look up a state below a node: (row, node, key); a negative entry instead of the row if none is known."""
    nodes, segments, table = lookup
    while True:
        key = np.int64(gather(states, index, node, nodes, segments, span))
        entry = np.int64(table[nodes[node, 0] + key])
        if entry >= 0 or entry <= PENDING:
            return entry, node, key
        node = -1 - entry


@loop()
def look_up(
    states: Any,
    roots: Any,
    simple: Any,
    lookup: Any,
    rows_info: Any,
    parts_info: Any,
    rows: Any,
    missing: Any,
    span: Any,
) -> int:
    """Fill `rows` with the row of every state and root; returns how many unknown keys were recorded.

    The first `simple` roots belong to groups without parts.
    """
    first, count, _, _ = rows_info
    parts_first, parts_count, parts = parts_info
    missed = 0
    for index in range(len(states)):
        for group in range(len(roots)):
            row, node, key = _find(states, index, roots[group], lookup, span)
            rows[index, group] = row
            if row < 0:
                missed = _note(row, node, key, lookup, missing, missed)
            elif group >= simple:
                for successor in range(first[row], first[row] + count[row]):
                    for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
                        part, node, key = _find(states, index, parts[place], lookup, span)
                        if part < 0:
                            missed = _note(part, node, key, lookup, missing, missed)
                        if missed == len(missing):
                            return missed
            if missed == len(missing):
                return missed
    return missed


@loop()
def _note(entry: Any, node: Any, key: Any, lookup: Any, missing: Any, missed: Any) -> Any:
    """Record an unknown key, once."""
    nodes, _, table = lookup
    if entry < PENDING:
        table[nodes[node, 0] + key] = PENDING
        missing[missed, 0] = node
        missing[missed, 1] = key
        return missed + 1
    return missed


@loop()
def _least(number: Any, keys: Any, moves: Any, scratch: Any, span: Any) -> None:
    """Replace each state by its representative, the least of all its renamed forms."""
    starts, shift, mask, to, source, target, offset, values = moves
    words = len(span)
    for index in range(number):
        for word in range(words):
            scratch[word] = keys[index, word]
        for renaming in range(len(starts) - 1):
            for word in range(words):
                scratch[words + word] = np.uint64(0)
            for move in range(starts[renaming], starts[renaming + 1]):
                piece = (keys[index, source[move]] >> shift[move]) & mask[move]
                if offset[move] >= 0:
                    piece = values[offset[move] + np.int64(piece)]
                scratch[words + np.int64(target[move])] |= piece << to[move]
            _keep_less(scratch, span)
        for word in range(words):
            keys[index, word] = scratch[word]


@loop(inline="always")
def _keep_less(scratch: Any, span: Any) -> None:
    """Put the lesser of the two states in `scratch` first."""
    words = len(span)
    word = 0
    while word < words - 1 and scratch[word] == scratch[words + word]:
        word += 1
    if scratch[words + word] < scratch[word]:
        for word in range(words):
            scratch[word] = scratch[words + word]


@loop()
def _with_parts(
    states: Any,
    index: Any,
    successor: Any,
    masks: Any,
    parts_info: Any,
    lookup: Any,
    first: Any,
    keys: Any,
    number: Any,
    scratch: Any,
    span: Any,
) -> int:
    """Write the successor by a step with parts; returns the root of a part that clashes, or -1."""
    parts_first, parts_count, parts = parts_info
    words = len(span)
    for word in range(2 * words):
        scratch[word] = masks[successor, word]
    for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
        row, _, _ = _find(states, index, parts[place], lookup, span)
        part = first[row]
        for word in range(words):
            if ~(scratch[word] | masks[part, word]):
                return parts[place]
            scratch[word] &= masks[part, word]
            scratch[words + word] |= masks[part, words + word]
    for word in range(words):
        keys[number, word] = (states[index, word] & scratch[word]) | scratch[words + word]
    return -1


@loop()
def _successors(
    states: Any,
    rows: Any,
    simple: Any,
    lookup: Any,
    rows_info: Any,
    masks: Any,
    parts_info: Any,
    keys: Any,
    scratch: Any,
    counters: Any,
    span: Any,
) -> int:
    """Write the successors of a block of states into `keys`; returns how many."""
    first, count, _, _ = rows_info
    number = 0
    for index in range(len(states)):
        for group in range(simple):
            row = rows[index, group]
            start = first[row]
            for successor in range(start, start + count[row]):
                for word in range(len(span)):
                    kept = states[index, word] & masks[successor, word]
                    keys[number, word] = kept | masks[successor, len(span) + word]
                number += 1
        for group in range(simple, rows.shape[1]):
            row = rows[index, group]
            for successor in range(first[row], first[row] + count[row]):
                clash = _with_parts(
                    states, index, successor, masks, parts_info, lookup, first, keys, number, scratch, span
                )
                number += 1
                if clash >= 0:
                    counters[CLASH] = clash
    return number


@loop()
def _observe(
    states: Any, start: Any, rows: Any, rows_info: Any, counters: Any, met: Any, stuck: Any, span: Any
) -> None:
    """Count transitions and, in `met`, the states with each observation; record states in which nothing is enabled.

    A row of `met` has the number of states and the first of them, by its place in the chunk (`start`: of this block).
    """
    _, _, enabled, observed = rows_info
    for index in range(len(states)):
        able = np.int64(0)
        for group in range(rows.shape[1]):
            able += enabled[rows[index, group]]
            observation = observed[rows[index, group]]
            if observation:
                if met[observation, 0] == 0:
                    met[observation, 1] = start + index
                met[observation, 0] += 1
        counters[TRANSITIONS] += able
        if able == 0:
            copied(states, index, stuck, counters[STUCK], np.uint64(0), span)
            counters[STUCK] += 1


@loop()
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
    recent: Any,
    counters: Any,
    met: Any,
    stuck: Any,
    scratch: Any,
    span: Any,
) -> int:
    """Insert the successors of the states, block by block; returns how many states were expanded.

    Stops early when the visited set (`limit` states) or the next level could overflow; one block has at most
    `most` successors.
    """
    for start in range(0, len(states), BLOCK):
        if counters[OUT] + most > len(out) or counters[TOTAL] + most > limit:
            return start
        block, block_rows = states[start : start + BLOCK], rows[start : start + BLOCK]
        number = _successors(
            block, block_rows, simple, lookup, rows_info, masks, parts_info, keys, scratch, counters, span
        )
        if counters[CLASH] >= 0:
            return start
        if len(moves[0]) > 1:
            _least(number, keys, moves, scratch, span)
        number = not_recent(keys, number, recent, span)
        insert(keys, number, visited, bits, out, counters, span)
        _observe(block, start, block_rows, rows_info, counters, met, stuck, span)
    return len(states)
