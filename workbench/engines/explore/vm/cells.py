"""Guest memory in the explorer: words at addresses, as coarse as the accesses allow.

Two accesses that overlap must see each other's bytes. Memory is therefore cut into *cells*, the coarsest pieces such
that every access covers whole cells. An access that would cut a cell restarts the search with finer cells
(:class:`Finer`); so does a host entry met for the first time, because a step that clears all of the host's
entries must know every one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple


class Finer(Exception):  # noqa: N818  (not an error: the search restarts)
    """The model has found new variables; the search must restart."""


class MemoryCell(NamedTuple):
    """A variable: ``size`` bytes of guest memory at ``gpa``; its value is a little-endian number."""

    gpa: int
    size: int

    def __repr__(self) -> str:
        return f"memory {self.gpa:#x}+{self.size}"


class MemoryCells:
    """The cells cut so far, and the host entries and notes known so far."""

    def __init__(self) -> None:
        self._cuts: list[int] = []
        self._covered: list[tuple[int, int]] = []  # disjoint ranges that were ever accessed, sorted
        self.names: dict[Hashable, None] = {}  # host entries and notes, in order of appearance
        self._cache: dict[tuple[int, int], tuple[MemoryCell, ...]] = {}
        self._within: dict[tuple[int, int], tuple[MemoryCell, ...]] = {}
        self._is_learning = False

    @contextmanager
    def learning(self) -> Iterator[None]:
        """A context in which new cells and names are recorded without raising Finer; its states are not valid."""
        self._is_learning = True
        try:
            yield
        finally:
            self._is_learning = False

    def of(self, gpa: int, size: int) -> tuple[MemoryCell, ...]:
        """Return the cells of [gpa, gpa + size); raise Finer if the access cuts one or reaches new memory."""
        found = self._cache.get((gpa, size))
        if found is None:
            if not self._known(gpa, size):
                self._cut(gpa, size)
                if not self._is_learning:
                    raise Finer
            found = self._cache[gpa, size] = self._between(gpa, gpa + size)
        return found

    def within(self, gpa: int, size: int) -> tuple[MemoryCell, ...]:
        """Return the known cells that lie in [gpa, gpa + size)."""
        found = self._within.get((gpa, size))
        if found is None:
            touched = [covered for covered in self._covered if covered[0] < gpa + size and gpa < covered[1]]
            cells = (cell for start, end in touched for cell in self._between(start, end))
            found = tuple(cell for cell in cells if gpa <= cell.gpa and cell.gpa + cell.size <= gpa + size)
            self._within[gpa, size] = found
        return found

    def everything(self) -> tuple[MemoryCell, ...]:
        """Return all known cells."""
        return tuple(cell for start, end in self._covered for cell in self._between(start, end))

    @property
    def cuts(self) -> int:
        """How often memory was cut so far: what was learned of an access before the last cut may no longer be so."""
        return len(self._cuts)

    @property
    def is_learning(self) -> bool:
        """Whether new cells and names are recorded without raising Finer."""
        return self._is_learning

    def know(self, name: Hashable) -> None:
        """Record a host entry or a ghost; raise Finer if it is new."""
        if name not in self.names:
            self.names[name] = None
            if not self._is_learning:
                raise Finer

    def _known(self, gpa: int, size: int) -> bool:
        has_cuts = all(
            (index := bisect_left(self._cuts, at)) < len(self._cuts) and self._cuts[index] == at
            for at in (gpa, gpa + size)
        )
        return has_cuts and any(start <= gpa and gpa + size <= end for start, end in self._covered)

    def _cut(self, gpa: int, size: int) -> None:
        self._cache.clear()
        self._within.clear()
        self._cuts = sorted({*self._cuts, gpa, gpa + size})
        merged: list[tuple[int, int]] = []
        for start, end in sorted([*self._covered, (gpa, gpa + size)]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._covered = merged

    def _between(self, start: int, end: int) -> tuple[MemoryCell, ...]:
        inner = self._cuts[bisect_right(self._cuts, start) : bisect_left(self._cuts, end)]
        edges = [start, *inner, end]
        return tuple(MemoryCell(a, b - a) for a, b in pairwise(edges))
