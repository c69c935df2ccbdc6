"""What the compiled loops take of the tables, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.engines.explore.search import Hits
from workbench.engines.explore.tables.local_tables import Tables


def for_look_up(tables: Tables) -> tuple[Any, ...]:
    """The root nodes and how many of them lead to no parts, which come first; nodes; rows; parts."""
    roots, groups = tables.roots, tables.groups
    with_parts = [root.number for root in roots if groups[root.group].composite]
    without = [root.number for root in roots if not groups[root.group].composite]
    nodes = tables.node_words.data.reshape(-1, tables.node_size)
    lookup = nodes, tables.segment_words.data.reshape(-1, 4), tables.table.data
    rows = tables.first.data, tables.count.data
    parts = tables.parts_first.data, tables.parts_count.data, tables.parts.data
    return np.array(without + with_parts, np.int64), len(without), lookup, rows, parts


def for_work(tables: Tables, hits: Mapping[int, Hits]) -> tuple[Any, ...]:
    """The same, the groups that observe something, the observations without a first state, and the masks."""
    roots, _, _, _, _ = known = for_look_up(tables)
    watched = [bool(tables.groups[tables.nodes[root].group].predicates) for root in roots.tolist()]
    decided = {mark for mark, found in hits.items() if found.state is not None}
    undecided = [not decided.issuperset(marks) for marks in tables.observations]
    # What is done with a row in one word: its first successor, how many there are, and how many actions are enabled.
    effects = tables.first.data.astype(np.int64) << 32 | tables.count.data.astype(np.int64) << 16 | tables.enabled.data
    masks = tables.masks.data.reshape(-1, 2 * tables.layout.words)
    return *known, effects, tables.met.data, np.array(watched, np.bool_), np.array(undecided, np.bool_), masks
