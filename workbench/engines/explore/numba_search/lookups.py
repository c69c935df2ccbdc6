"""The compiled look-ups of states in the local tables.

Rule kept here: while threads work, tables are only read; the keys that a table does not know are noted afterwards, by
one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engines.explore.numba_search.bits import gather
from workbench.engines.explore.numba_search.compiling import loop

UNKNOWN = -(1 << 31)
PENDING = UNKNOWN + 1


@loop(inline="always")
def find(states: Any, index: Any, node: Any, lookup: Any, span: Any) -> Any:
    """Look up a state below a node: (row, node, key); a negative entry instead of the row if none is known."""
    nodes, segments, table = lookup
    while True:
        key = np.int64(gather(states, index, node, nodes, segments, span))
        entry = np.int64(table[nodes[node, 0] + key])
        if entry >= 0 or entry <= PENDING:
            return entry, node, key
        node = -1 - entry


@loop()
def note_unknown(states: Any, roots: Any, simple: Any, lookup: Any, rows_info: Any, parts_info: Any, span: Any) -> int:
    """Mark the unknown keys of states in the table as PENDING; returns how many.

    The first `simple` roots belong to groups without parts. No other thread may use the table.
    """
    first, count = rows_info
    parts_first, parts_count, parts = parts_info
    noted = 0
    for index in range(len(states)):
        for group in range(len(roots)):
            row, node, key = find(states, index, roots[group], lookup, span)
            if row < 0:
                noted += _note(row, node, key, lookup)
            elif group >= simple:
                for successor in range(first[row], first[row] + count[row]):
                    for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
                        part, node, key = find(states, index, parts[place], lookup, span)
                        if part < 0:
                            noted += _note(part, node, key, lookup)
    return noted


@loop()
def _note(entry: Any, node: Any, key: Any, lookup: Any) -> int:
    nodes, _, table = lookup
    table[nodes[node, 0] + key] = PENDING
    return int(entry == UNKNOWN)


@loop()
def look_up(
    states: Any, number: Any, roots: Any, simple: Any, lookup: Any, rows_info: Any, parts_info: Any, rows: Any,
    span: Any,
) -> bool:  # fmt: skip
    """Fill `rows` with the row of each state in each group; returns whether any, or one of its parts, is unknown."""
    first, count = rows_info
    parts_first, parts_count, parts = parts_info
    together = np.int64(0)  # negative if one of them is: no branch is taken for each
    for group in range(len(roots)):
        for index in range(number):
            row, _, _ = find(states, index, roots[group], lookup, span)
            rows[group, index] = row
            together |= row
        if group >= simple:
            for index in range(number):
                row = max(rows[group, index], 0)
                for successor in range(first[row], first[row] + count[row]):
                    for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
                        part, _, _ = find(states, index, parts[place], lookup, span)
                        together |= part
    return bool(together < 0)


@loop()
def lacks_row(
    states: Any, index: Any, roots: Any, simple: Any, lookup: Any, rows_info: Any, parts_info: Any, span: Any
) -> bool:
    """Whether a row of one state, or of a part of its steps, is unknown."""
    first, count = rows_info
    parts_first, parts_count, parts = parts_info
    for group in range(len(roots)):
        row, _, _ = find(states, index, roots[group], lookup, span)
        if row < 0:
            return True
        if group >= simple:
            for successor in range(first[row], first[row] + count[row]):
                for place in range(parts_first[successor], parts_first[successor] + parts_count[successor]):
                    part, _, _ = find(states, index, parts[place], lookup, span)
                    if part < 0:
                        return True
    return False
