"""Apply local tables to many packed states at once with NumPy.

Rule kept here: no Python code runs per state. What a table does not know yet is collected, filled once per
distinct key, and looked up again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.core.errors import WorkbenchError
from workbench.engines.explore.layout import Words
from workbench.engines.explore.tables import UNKNOWN, TableNode, Tables

FEW = 8  # up to so many children one comparison for each is faster than sorting


@dataclass
class Expansion:
    """Successors of a chunk of states (unchanged states left out), and what was met in the states."""

    after: Words
    counts: list[np.ndarray]
    enabled: np.ndarray
    hits: np.ndarray

    @cached_property
    def origin(self) -> np.ndarray:
        """For each successor, the index of the state in the chunk that it comes from."""
        states = np.arange(len(self.enabled))
        return np.concatenate([np.repeat(states, counts) for counts in self.counts])


class Walker:
    """Looks up rows and computes successors."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def expand(self, words: Words) -> Expansion:
        """All successors of the given states."""
        tables = self.tables
        enabled = np.zeros(len(words[0]), np.int32)
        hits = np.zeros(len(words[0]), np.uint64)
        pieces: list[Words] = []
        all_counts = []
        for root in tables.roots:
            rows = self.rows(root, words)
            enabled += tables.enabled.data[rows]
            if tables.groups[root.group].predicates:
                hits |= tables.hits.data[rows]
            counts = tables.count.data[rows]
            all_counts.append(counts)
            pieces.append(self._successors(words, rows, counts))
        after = [np.concatenate([piece[word] for piece in pieces]) for word in range(len(words))]
        return Expansion(after, all_counts, enabled, hits)

    def hits(self, root: TableNode, words: Words) -> np.ndarray:
        """The predicate bits of one group for the given states."""
        rows = self.rows(root, words)
        return self.tables.hits.data[rows]

    def rows(self, node: TableNode, words: Words) -> np.ndarray:
        """The row of each state in the tables below a node."""
        entries = self._entries(node, words)
        if node.leaf:
            return entries
        rows = np.empty(len(entries), np.int32)
        for child, chosen in _by_child(node, entries):
            rows[chosen] = self.rows(child, [word[chosen] for word in words])
        return rows

    def _entries(self, node: TableNode, words: Words) -> np.ndarray:
        while True:
            key = _gathered(node, words)
            entries = self.tables.table.data[node.base :][key]
            unknown = entries == UNKNOWN
            if not unknown.any():
                return entries
            for value in np.unique(key[unknown]).tolist():
                if not self.tables.fill(node, value):
                    break

    def _successors(self, words: Words, rows: np.ndarray, counts: np.ndarray) -> Words:
        tables = self.tables
        ends = np.cumsum(counts, dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        chosen = np.arange(total) + np.repeat(tables.first.data[rows] - (ends - counts), counts)
        before = [np.repeat(word, counts) for word in words]
        keep = [tables.keep[word].data[chosen] for word in range(len(words))]
        put = [tables.put[word].data[chosen] for word in range(len(words))]
        with_parts = np.flatnonzero(tables.parts_count.data[chosen])
        if len(with_parts):
            self._add_parts(before, chosen, with_parts, keep, put)
        return [word & kept | new for word, kept, new in zip(before, keep, put, strict=True)]

    def _add_parts(self, before: Words, chosen: np.ndarray, with_parts: np.ndarray, keep: Words, put: Words) -> None:
        """Merge the masks of the parts into the masks of the steps that have some."""
        tables = self.tables
        for successor in np.unique(chosen[with_parts]).tolist():
            where = with_parts[chosen[with_parts] == successor]
            states = [word[where] for word in before]
            start, length = int(tables.parts_first.data[successor]), int(tables.parts_count.data[successor])
            for root in tables.parts.data[start : start + length].tolist():
                rows = self.rows(tables.nodes[root], states)
                masks = tables.first.data[rows]
                for word in range(len(states)):
                    kept = tables.keep[word].data[masks]
                    if np.any(~kept & ~keep[word][where]):
                        raise WorkbenchError(
                            f"{tables.groups[tables.nodes[root].group].actions[0].actor}: "
                            "a variable is written twice in one step"
                        )
                    keep[word][where] &= kept
                    put[word][where] |= tables.put[word].data[masks]


def _gathered(node: TableNode, words: Words) -> np.ndarray:
    """The key of each state at a node, as table offsets."""
    key = np.zeros(len(words[0]), np.uint64)
    for segment in node.segments:
        piece = words[segment.word] >> np.uint64(segment.shift) & np.uint64(segment.mask)
        key |= piece << np.uint64(segment.out)
    return key.view(np.int64)


def _by_child(node: TableNode, entries: np.ndarray) -> list[tuple[TableNode, np.ndarray]]:
    """The indices of the states that go to each child."""
    if len(node.children) <= FEW:
        split = [(child, np.flatnonzero(entries == child.code)) for child in node.children]
        return [(child, chosen) for child, chosen in split if len(chosen)]
    numbers = -2 - entries
    order = np.argsort(numbers.astype(np.int16) if numbers.max() < 1 << 15 else numbers, kind="stable")
    ordered = numbers[order]
    ends = np.flatnonzero(np.diff(ordered)) + 1
    pieces = np.split(order, ends)
    by_number = {child.number: child for child in node.children}
    return [(by_number[int(numbers[piece[0]])], piece) for piece in pieces if len(piece)]
