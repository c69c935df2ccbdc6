"""The compiled loops of the numba engine. They do not depend on a model, so they are compiled once and cached.

Rules kept here: everything is integer arithmetic on arrays made by `tables`; a state with a key that a table does not
know is marked for Python, and nothing else is done with it. What threads share is the visited set, the next level and
`shared` (see `state_set`); tables are only read here, and each thread has its own buffers and tallies. States are rows
of words. `span` is a tuple with one entry for each word of a state: its length is known when a loop is compiled, so for
one word there is no loop. All words are uint64: numba would turn a mix with signed integers into floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engines.explore.numba_search.atoms import added, loaded
from workbench.engines.explore.numba_search.compiling import loop
from workbench.engines.explore.numba_search.lookups import find, lacks_row, look_up
from workbench.engines.explore.numba_search.state_set import (
    EMPTY,
    NEXT,
    OUT,
    STOP,
    copied,
    insert,
    not_recent,
)

BLOCK = 128  # states whose successors are made before any of them is inserted
ITEM = 1024  # states that a thread takes at once
KEYED, STUCK = 1, 2  # marks of states: with a key that no table knows; without an enabled action
#: Places in the counters of a thread; how many states it has marked is at the number of the mark.
TRANSITIONS, _, _, CLASH, FROM, TO, COUNTERS = range(7)


@loop()
def _taken(level: Any, order: Any, start: Any, stop: Any, states: Any, places: Any, span: Any) -> int:
    """Copy a block of a level, or of those of its states that `order` names, and note the places; returns its size."""
    for index in range(stop - start):
        place = order[start + index] if len(order) else start + index
        places[index] = place
        copied(level, place, states, index, EMPTY, span)
    return stop - start


@loop()
def _only_known(
    states: Any, number: Any, places: Any, roots: Any, simple: Any, lookup: Any, rows_info: Any, parts_info: Any,
    marks: Any, counters: Any, span: Any,
) -> int:  # fmt: skip
    """Drop the states with an unknown key, and mark them; returns how many are left."""
    left = 0
    for index in range(number):
        if lacks_row(states, index, roots, simple, lookup, rows_info, parts_info, span):
            marks[places[index]] = KEYED
            counters[KEYED] += 1
        else:
            copied(states, index, states, left, EMPTY, span)
            places[left] = places[index]
            left += 1
    return left


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
        row, _, _ = find(states, index, parts[place], lookup, span)
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
    states: Any, number: Any, rows: Any, simple: Any, lookup: Any, rows_info: Any, effects: Any, masks: Any,
    parts_info: Any, keys: Any, chosen: Any, able: Any, scratch: Any, counters: Any, span: Any,
) -> int:  # fmt: skip
    """Write the successors of a block of states into `keys`; returns how many. `able`: the enabled actions of each."""
    first, count = rows_info
    able[:number] = 0
    listed = 0
    for group in range(simple):
        for index in range(number):
            effect = effects[rows[group, index]]
            able[index] += effect & 0xFFFF
            more = effect >> 16 & 0xFFFF
            entry = effect >> 32 << 32 | index
            # Most rows have at most two successors: without a branch for these, none is mispredicted.
            chosen[listed] = entry
            chosen[listed + 1] = entry + (1 << 32)
            for further in range(2, more):
                chosen[listed + further] = entry + (further << 32)
            listed += more
    for place in range(listed):
        successor, index = chosen[place] >> 32, chosen[place] & 0xFFFFFFFF
        for word in range(len(span)):
            keys[place, word] = (states[index, word] & masks[successor, word]) | masks[successor, len(span) + word]
    for group in range(simple, len(rows)):
        for index in range(number):
            row = rows[group, index]
            able[index] += effects[row] & 0xFFFF
            for successor in range(first[row], first[row] + count[row]):
                clash = _with_parts(
                    states, index, successor, masks, parts_info, lookup, first, keys, listed, scratch, span
                )
                listed += 1
                if clash >= 0:
                    counters[CLASH] = clash
    return listed


@loop()
def _observe(
    states: Any, number: Any, places: Any, rows: Any, observed: Any, watched: Any, undecided: Any, counters: Any,
    met: Any, least: Any, able: Any, marks: Any, span: Any,
) -> None:  # fmt: skip
    """Count transitions and the states with each observation; mark states in which nothing is enabled.

    `least` is the least state with each observation that is `undecided`; groups that observe nothing are not `watched`.
    """
    for group in range(len(rows)):
        if watched[group]:
            for index in range(number):
                observation = observed[rows[group, index]]
                met[observation] += 1
                if undecided[observation]:
                    _keep_least(states, index, least, observation, span)
    transitions = np.int64(0)
    for index in range(number):
        transitions += able[index]
        if able[index] == 0:
            marks[places[index]] = STUCK
            counters[STUCK] += 1
    counters[TRANSITIONS] += transitions


@loop()
def _keep_least(states: Any, index: Any, least: Any, place: Any, span: Any) -> None:
    """Put a state into a row of `least` if it is less than the state there."""
    word = 0
    while word < len(span) - 1 and states[index, word] == least[place, word]:
        word += 1
    if states[index, word] < least[place, word]:
        copied(states, index, least, place, EMPTY, span)


@loop(nogil=True)
def work(
    level: Any, order: Any, todo: Any, marks: Any, shared: Any, limit: Any,
    roots: Any, simple: Any, lookup: Any, rows_info: Any, parts_info: Any, effects: Any, observed: Any, watched: Any,
    undecided: Any, masks: Any, moves: Any, visited: Any, bits: Any, stride: Any, out: Any,
    keys: Any, hashes: Any, chosen: Any, recent: Any, counters: Any, met: Any, least: Any, buffers: Any, span: Any,
) -> None:  # fmt: skip
    """Insert the successors of the states of a level, in one of several threads, until all ranges of `todo` are taken.

    Stops early when told so, or when the next level has more than `limit` states, with the rest of its range in
    `counters`.
    """
    states, rows, places, able, scratch = buffers
    while loaded(shared, STOP) == 0:
        item = added(shared, NEXT, np.int64(1))
        if item >= len(todo):
            return
        stop = todo[item, 1]
        for start in range(todo[item, 0], stop, BLOCK):
            if loaded(shared, STOP) != 0 or loaded(shared, OUT) > limit:
                counters[FROM], counters[TO] = start, stop
                return
            number = _taken(level, order, start, min(start + BLOCK, stop), states, places, span)
            while look_up(states, number, roots, simple, lookup, rows_info, parts_info, rows, span):
                number = _only_known(
                    states, number, places, roots, simple, lookup, rows_info, parts_info, marks, counters, span
                )
            after = _successors(
                states, number, rows, simple, lookup, rows_info, effects, masks, parts_info, keys, chosen, able,
                scratch, counters, span,
            )  # fmt: skip
            _observe(
                states, number, places, rows, observed, watched, undecided, counters, met, least, able, marks, span
            )
            if len(moves[0]) > 1:
                _least(after, keys, moves, scratch, span)
            left = not_recent(keys, hashes, after, recent, span)
            insert(keys, hashes, left, visited, bits, stride, out, shared, span)
