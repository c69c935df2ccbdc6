"""Packed states in files: the levels of a search, states waiting in parts by hash, and the visited states of each part.

Rule kept here: at any time one part is in memory, never all of them. The files have no name (``O_TMPFILE``), so that
nothing is left of them when this process ends, however it ends. They hold raw uint64 numbers.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, overload

import numpy as np

from workbench.engines.explore.numpy_search.state_set import StateSet, home_slots
from workbench.engines.explore.tables.bit_layout import Words
from workbench.engines.explore.tables.packed_search import CHUNK

PARTS = 6  #: log2 of the number of parts; a part of 1e9 states then takes 0.5 GB for each word of a state
#: States are multiplied by this odd number before they are hashed into parts, so that other bits decide than in a part.
_ODD = np.uint64(0xD6E8FEB86659FD93)
_BITS = 8  #: log2 of the slots of a part at first
_ITEM = 8  #: bytes of a number
_NOTHING = np.empty(0, np.uint64)


class Levels:
    """The levels of a breadth-first search: one file for each word of a state, of which a level is a stretch."""

    def __init__(self, folder: Path, words: int) -> None:
        self._files, self._words, self._ends = _Files(folder), words, [0, 0]

    def __len__(self) -> int:
        """Return how many levels there are; the last one may still grow."""
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[Words]:
        """Return the levels, one after the other."""
        return (self[level] for level in range(len(self)))

    @overload
    def __getitem__(self, level: int) -> Words: ...
    @overload
    def __getitem__(self, level: slice) -> list[Words]: ...

    def __getitem__(self, level: int | slice) -> Words | list[Words]:
        """Return the states of a level, in order, as arrays of which only the pages in use are in memory."""
        numbers = range(len(self))[level]
        if isinstance(numbers, range):
            return [self[number] for number in numbers]
        start, end = self._ends[numbers : numbers + 2]
        found: Words = []
        for word in range(self._words):
            shape, offset = (end - start,), _ITEM * start
            found.append(np.memmap(self._files[word], np.uint64, "r", offset, shape) if end > start else _NOTHING)
        return found

    def extend(self, states: Words) -> None:
        """Add states to the last level."""
        for word, values in enumerate(states):
            _append(self._files[word], values)
        self._ends[-1] += len(states[0])

    def begin_next(self) -> None:
        """Begin a new last level."""
        self._ends.append(self._ends[-1])

    @property
    def nbytes(self) -> int:
        """Bytes in the files."""
        return _ITEM * self._words * self._ends[-1]


class Waiting:
    """States that may have been visited before, in parts by hash; a state can be there several times."""

    def __init__(self, folder: Path, words: int) -> None:
        self._files, self._words, self._sizes = _Files(folder), words, [0] * (1 << PARTS)

    def add(self, states: Words) -> None:
        """Put states into their parts."""
        part = home_slots([word * _ODD for word in states], PARTS).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        table = np.stack([word.take(order) for word in states], axis=1)
        ends = np.cumsum(np.bincount(part, minlength=len(self._sizes)))
        for number, rows in enumerate(np.split(table, ends[:-1])):
            if len(rows):
                _append(self._files[number], rows)
                self._sizes[number] += len(rows)

    def parts(self) -> Iterator[tuple[int, Words]]:
        """Yield each part that is not empty, with its number, chunk by chunk."""
        for number, size in enumerate(self._sizes):
            for start in range(0, size, CHUNK):
                shape = (min(CHUNK, size - start), self._words)
                rows = np.memmap(self._files[number], np.uint64, "r", _ITEM * self._words * start, shape)
                yield number, [np.ascontiguousarray(rows[:, word]) for word in range(self._words)]

    def clear(self) -> None:
        """Forget all states."""
        for file in self._files.values():
            file.seek(0)
            file.truncate()
        self._sizes = [0] * len(self._sizes)

    @property
    def nbytes(self) -> int:
        """Bytes in the files."""
        return _ITEM * self._words * sum(self._sizes)


class Visited:
    """The visited states: a hash table for each part, of which the one in use is in memory."""

    def __init__(self, folder: Path, words: int) -> None:
        self._files, self._words = _Files(folder), words
        self._counts, self._sizes = [0] * (1 << PARTS), [0] * (1 << PARTS)
        self._number, self._part, self._changed = -1, StateSet(words, _BITS), False

    @property
    def count(self) -> int:
        """How many states were visited."""
        return sum(self._counts)

    @property
    def nbytes(self) -> int:
        """Bytes of all tables."""
        return sum(self._sizes)

    def add(self, number: int, states: Words) -> Words:
        """Add states of one part; return those that are new, each once."""
        if number != self._number:
            self._turn_to(number)
        part = self._part
        if not part.has_room(len(states[0])):
            part.grow(len(states[0]), [part.states()])
        new = part.add(states)
        self._changed |= len(new) > 0
        self._counts[number], self._sizes[number] = part.count, part.nbytes
        return [word.take(new) for word in states]

    def put_away(self) -> None:
        """Write the part that is in memory, if it has changed, to its file."""
        if self._changed:
            file = self._files[self._number]
            file.seek(0)
            for slots in self._part.slots:
                _append(file, slots)
        self._number, self._changed = -1, False

    def _turn_to(self, number: int) -> None:
        self.put_away()
        self._number = number
        table = np.zeros(self._words << _BITS, np.uint64)
        if self._counts[number]:
            self._files[number].seek(0)
            table = np.fromfile(self._files[number], np.uint64, self._sizes[number] // _ITEM)
        self._part.take_up(list(table.reshape(self._words, -1)), self._counts[number])


class _Files(dict[int, IO[bytes]]):
    """Files by number, each opened when it is first used."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._opened: list[IO[bytes]] = []
        weakref.finalize(self, _close, self._opened)

    def __missing__(self, number: int) -> IO[bytes]:
        self[number] = file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - open as long as the search is
        self._opened.append(file)
        return file


def _close(files: list[IO[bytes]]) -> None:
    for file in files:
        file.close()


def _append(file: IO[bytes], values: np.ndarray) -> None:
    """Write where the file stands, and hand it to the kernel, so that a mapping shows it."""
    file.write(np.ascontiguousarray(values).data)
    file.flush()
