"""Applies local tables to many packed states at once with NumPy.

Rule kept here: no Python code runs per state. Keys that a table does not know yet are collected, filled once
each, and looked up again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.engines.explore.tables.bit_layout import Words
from workbench.engines.explore.tables.local_tables import PENDING, TableNode, Tables

FEW = 8  # up to this many children, one comparison for each is faster than sorting


@dataclass
class Expansion:
    """Successors of a chunk of states (unchanged states left out), and what was observed in the states."""

    pieces: list[Words]  # one per group of actions
    counts: list[np.ndarray]
    enabled: np.ndarray
    met: list[np.ndarray]  # one per group with observers: indices of the tables' observations


class Walker:
    """Looks up rows and computes successors."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def expand(self, words: Words) -> Expansion:
        """All successors of the given states."""
        tables = self.tables
        enabled = np.zeros(len(words[0]), np.int32)
        met: list[np.ndarray] = []
        pieces: list[Words] = []
        all_counts = []
        for root in tables.roots:
            rows = self.rows(root, words)
            group = tables.groups[root.group]
            if group.predicates:
                met.append(tables.met.data.take(rows))
            if group.actions:
                enabled += tables.enabled.data.take(rows)
                counts = tables.count.data.take(rows)
                all_counts.append(counts)
                pieces.append(self._successors(words, rows, counts, root))
        return Expansion(pieces, all_counts, enabled, met)

    def met(self, root: TableNode, words: Words) -> np.ndarray:
        """What one group observes in the given states, as indices of the tables' observations."""
        rows = self.rows(root, words)
        return self.tables.met.data.take(rows)

    def rows(self, node: TableNode, words: Words) -> np.ndarray:
        """The row of each state in the tables below a node."""
        entries = self._entries(node, words)
        if node.leaf:
            return entries
        rows = np.empty(len(entries), np.int32)
        for child, chosen in _by_child(node, entries):
            rows[chosen] = self.rows(child, [word.take(chosen) for word in words])
        return rows

    def _entries(self, node: TableNode, words: Words) -> np.ndarray:
        while True:
            key = _gathered(node, words)
            entries = self.tables.table.data[node.base :].take(key)
            if not len(entries) or entries.min() > PENDING:
                return entries
            for value in np.unique(key[entries <= PENDING]).tolist():
                if not self.tables.fill(node, value):
                    break

    def _successors(self, words: Words, rows: np.ndarray, counts: np.ndarray, root: TableNode) -> Words:
        """The successors of each state; a group whose steps have parts has one action."""
        tables = self.tables
        ends = np.cumsum(counts, dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        chosen = np.repeat(tables.first.data.take(rows) - (ends - counts), counts)
        chosen += np.arange(total)
        before = [np.repeat(word, counts) for word in words]
        keep = [tables.keep[word].data.take(chosen) for word in range(len(words))]
        put = [tables.put[word].data.take(chosen) for word in range(len(words))]
        if tables.groups[root.group].composite:
            self._add_parts(before, chosen, keep, put)
        for word, kept, new in zip(before, keep, put, strict=True):
            word &= kept
            word |= new
        return before

    def _add_parts(self, before: Words, chosen: np.ndarray, keep: Words, put: Words) -> None:
        """Merge the masks of the parts into the masks of the steps that have them."""
        tables = self.tables
        for successor in np.flatnonzero(np.bincount(chosen, minlength=1)).tolist():
            where = np.flatnonzero(chosen == successor)
            states = [word.take(where) for word in before]
            for root in tables.parts_of(successor):
                rows = self.rows(tables.nodes[root], states)
                masks = tables.first.data.take(rows)
                for word in range(len(states)):
                    kept, earlier = tables.keep[word].data.take(masks), keep[word].take(where)
                    if np.any(~(kept | earlier)):
                        raise tables.clash(root)
                    keep[word][where] = earlier & kept
                    put[word][where] |= tables.put[word].data.take(masks)


def _gathered(node: TableNode, words: Words) -> np.ndarray:
    """The key of each state at a node."""
    key = None
    for segment in node.segments:
        piece = words[segment.word] >> np.uint64(segment.shift)
        piece &= np.uint64(segment.mask)
        if segment.out:
            piece <<= np.uint64(segment.out)
        if key is None:
            key = piece
        else:
            key |= piece
    return np.zeros(len(words[0]), np.int64) if key is None else key.view(np.int64)


def _by_child(node: TableNode, entries: np.ndarray) -> list[tuple[TableNode, np.ndarray]]:
    """The indices of the states that go to each child."""
    if len(node.children) <= FEW:
        split = [(child, np.flatnonzero(entries == child.code)) for child in node.children]
        return [(child, chosen) for child, chosen in split if len(chosen)]
    numbers = -1 - entries
    order = np.argsort(numbers.astype(np.int16) if numbers.max() < 1 << 15 else numbers, kind="stable")
    ordered = numbers[order]
    ends = np.flatnonzero(np.diff(ordered)) + 1
    pieces = np.split(order, ends)
    by_number = {child.number: child for child in node.children}
    return [(by_number[int(numbers[piece[0]])], piece) for piece in pieces if len(piece)]
