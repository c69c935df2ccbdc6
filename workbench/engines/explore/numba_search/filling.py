"""Fills what states ask of the tables and no table knows yet, between two runs of the threads.

Rule kept here: what is filled, and in which order, depends on the set of these states alone, not on their order, so
that new values get the same numbers however many threads there are.
"""

from __future__ import annotations

import numpy as np

from workbench.engines.explore.numba_search.arguments import for_look_up
from workbench.engines.explore.numba_search.lookups import PENDING, UNKNOWN, note_unknown
from workbench.engines.explore.tables.local_tables import Tables


def learn(tables: Tables, states: np.ndarray, span: tuple[int, ...]) -> None:
    """Fill every key that these states (rows of words) have and no table knows; raises Outgrown."""
    while note_unknown(states, *for_look_up(tables), span):
        nodes, table = tables.nodes, tables.table
        bases = np.array([node.base for node in nodes])
        order = np.argsort(bases)
        places = np.flatnonzero(table.data == PENDING)
        numbers = order[np.searchsorted(bases[order], places, side="right") - 1]
        widened: set[int] = set()
        for number, place in zip(numbers.tolist(), places.tolist(), strict=True):
            if number in widened or not tables.fill(nodes[number], place - int(bases[number])):
                widened.add(number)
                table.data[place] = UNKNOWN  # in what the node has left: nobody looks there again
