"""Representatives of packed states: the least of all renamed states, computed for many states at once.

The renamings are those of the plain engine, expressed as moves of bit fields; a field whose values
are renamed too is mapped through a small table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.engines.explore.space import Space
from workbench.engines.explore.symmetry.representatives import Renaming, Renamings
from workbench.engines.explore.tables.bit_layout import Layout, Words
from workbench.engines.explore.tables.local_tables import Outgrown


@dataclass
class _Move:
    """Bits `mask << shift` of word `source` go to bit `to` of word `target`, perhaps through a table."""

    source: int
    shift: int
    mask: int
    target: int
    to: int
    table: np.ndarray | None


class PackedSymmetry:
    """All renamings of a space in one layout."""

    def __init__(self, space: Space, renamings: Renamings) -> None:
        self.space = space
        self.renamings = renamings
        self.layout: Layout | None = None
        self.moves: list[list[_Move]] = []
        self.known = 0
        self._closed: dict[int, int] = {}  # by variable: the number of its values that have been renamed
        self._flat: tuple[np.ndarray, ...] = ()
        self._close()

    def _size(self) -> int:
        return sum(len(domain.values) for domain in self.space.domains)

    def _close(self) -> None:
        """Rename every known value until no new values appear."""
        size = -1
        while size != self._size():
            size = self._size()
            for index, domain in enumerate(self.space.domains):  # both may grow during the loop
                known, values = self._closed.get(index, 0), len(domain.values)
                for renaming in self.renamings.all:
                    for number in range(known, values):
                        renaming.number(index, number)
                self._closed[index] = values

    def use(self, layout: Layout) -> None:
        """Express the renamings in a layout; raises Outgrown if a renamed value has no place in it."""
        self._close()
        self.layout = layout
        self.known = self._size()
        self._flat = ()
        self.moves = [self._moves(layout, renaming) for renaming in self.renamings.all]

    def _moves(self, layout: Layout, renaming: Renaming) -> list[_Move]:
        moves: list[_Move] = []
        for var in sorted(
            range(len(self.space.names)),
            key=lambda v: (layout.word[v], layout.shift[v]) if v < len(layout.word) else (0, 0),
        ):
            table = self._table(layout, renaming, var)
            target, mask = renaming.target(var), (1 << layout.width[var]) - 1
            move = _Move(layout.word[var], layout.shift[var], mask, layout.word[target], layout.shift[target], table)
            if not mask:
                continue
            if moves and _adjacent(moves[-1], move):
                moves[-1].mask |= mask << moves[-1].mask.bit_length()
            else:
                moves.append(move)
        return moves

    def _table(self, layout: Layout, renaming: Renaming, var: int) -> np.ndarray | None:
        """The renamed numbers of a variable's values; None if they stay the same."""
        numbers = [renaming.number(var, number) for number in range(len(self.space.domains[var].values))]
        if not all(layout.fits(var, number) for number in range(len(numbers))) or not all(
            layout.fits(renaming.target(var), number) for number in numbers
        ):
            raise Outgrown
        if numbers == list(range(len(numbers))):
            return None
        table = np.zeros(1 << layout.width[var], np.uint64)
        table[: len(numbers)] = numbers
        return table

    def flat(self) -> tuple[np.ndarray, ...]:
        """The moves as arrays: first move of each renaming, then what each move does."""
        self._refresh()
        if not self._flat:
            joined = [move for moves in self.moves for move in moves]
            starts = np.cumsum([0] + [len(moves) for moves in self.moves])
            offsets, values, used = [], [np.zeros(0, np.uint64)], 0
            for move in joined:
                offsets.append(-1 if move.table is None else used)
                if move.table is not None:
                    values.append(move.table)
                    used += len(move.table)
            names = ("shift", "mask", "to", "source", "target")
            bits = [np.array([getattr(move, name) for move in joined], np.uint64) for name in names]
            self._flat = (starts.astype(np.int64), *bits, np.array(offsets, np.int64), np.concatenate(values))
        return self._flat

    def _refresh(self) -> None:
        """Update the tables with values that have appeared since the renamings were expressed in the layout."""
        assert self.layout is not None
        if self.known != self._size():
            self.use(self.layout)

    def least(self, words: Words) -> Words:
        """The representative of each state."""
        self._refresh()
        best = list(words)
        for moves in self.moves:
            best = _less(_renamed(words, moves), best)
        return best

    def unmoved(self, words: Words) -> np.ndarray:
        """The number of renamings that leave each of these representatives unchanged, without the identity."""
        found = np.zeros(len(words[0]), np.int64)
        for moves in self.moves:
            pairs = zip(_renamed(words, moves), words, strict=True)
            found += np.logical_and.reduce([one == other for one, other in pairs])
        return found


def _renamed(words: Words, moves: list[_Move]) -> Words:
    renamed = [np.zeros(len(words[0]), np.uint64) for _ in words]
    for move in moves:
        piece = words[move.source] >> np.uint64(move.shift) & np.uint64(move.mask)
        if move.table is not None:
            piece = move.table[piece.view(np.int64)]
        renamed[move.target] |= piece << np.uint64(move.to)
    return renamed


def _adjacent(last: _Move, move: _Move) -> bool:
    length = last.mask.bit_length()
    return (
        last.table is None
        and move.table is None
        and last.source == move.source
        and last.target == move.target
        and last.shift + length == move.shift
        and last.to + length == move.to
    )


def _less(a: Words, b: Words) -> Words:
    """The lexicographically smaller of each pair of states."""
    if len(a) == 1:
        return [np.minimum(a[0], b[0])]
    smaller, equal = a[0] < b[0], a[0] == b[0]
    for x, y in zip(a[1:], b[1:], strict=True):
        smaller |= equal & (x < y)
        equal &= x == y
    return [np.where(smaller, x, y) for x, y in zip(a, b, strict=True)]
