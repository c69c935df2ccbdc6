"""The compiled set of visited states, step by step: in every order of what threads do, each state is added once.

The functions run as Python here, one at a time; between two of their accesses to shared words any other may run.
"""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is not installed (pip install '.[fast]')")

from workbench.engines.explore.numba_search import atoms, state_set
from workbench.engines.explore.numba_search.state_set import EMPTY, TAG

SLOTS = 16  # of the set
PATIENCE = 40  # accesses of all threads in turn, after the given ones; more are a thread that waits for ever


class Threads:
    """Functions in threads, of which one runs at a time; ``access`` is where another may go on."""

    def __init__(self, functions: list[Callable[[], Any]]) -> None:
        self._go = [threading.Semaphore(0) for _ in functions]
        self._paused = threading.Semaphore(0)
        self._who = threading.local()
        self.answers: dict[int, Any] = {}
        for number, function in enumerate(functions):
            threading.Thread(target=self._run, args=(number, function), daemon=True).start()

    def _run(self, number: int, function: Callable[[], Any]) -> None:
        self._who.number = number
        self._go[number].acquire()
        self.answers[number] = function()
        self._paused.release()

    def access(self) -> None:
        """Let the others run before the next access."""
        self._paused.release()
        self._go[self._who.number].acquire()

    def step(self, number: int) -> None:
        """Let one thread make an access and come to its next one, unless it has finished."""
        if number not in self.answers:
            self._go[number].release()
            self._paused.acquire()


class Shared:
    """Stands in for ``atoms``: each access to shared words is a place where another thread may run."""

    def __init__(self) -> None:
        self.threads: Threads | None = None

    def _access(self) -> None:
        if self.threads is not None:
            self.threads.access()

    def loaded(self, words: np.ndarray, place: int) -> np.uint64:
        self._access()
        return np.uint64(words[place])

    def stored(self, words: np.ndarray, place: int, value: np.uint64) -> None:
        self._access()
        words[place] = value

    def swapped(self, words: np.ndarray, place: int, old: np.uint64, new: np.uint64) -> np.uint64:
        self._access()
        found = np.uint64(words[place])
        if found == old:
            words[place] = new
        return found

    def _row(self, words: np.ndarray, place: int) -> list[np.uint64]:
        """What one load reads: a processor may read its halves one after the other."""
        row, half = [EMPTY] * atoms.LANES, atoms.LANES // 2
        for lanes in (range(half, atoms.LANES), range(half)):
            self._access()
            for lane in lanes:
                row[lane] = words[place + lane]
        return row

    def equal(self, words: np.ndarray, place: int, value: np.uint64) -> np.uint64:
        return _lanes(self._row(words, place), value)

    def equal_and_zero(self, words: np.ndarray, place: int, value: np.uint64) -> tuple[np.uint64, np.uint64]:
        row = self._row(words, place)
        return _lanes(row, value), _lanes(row, EMPTY)

    @staticmethod
    def lowest(bits: np.uint64) -> int:
        return (int(bits) & -int(bits)).bit_length() - 1


def _lanes(row: list[np.uint64], value: np.uint64) -> np.uint64:
    return np.uint64(sum(1 << lane for lane, word in enumerate(row) if word == value))


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Shared:
    """The functions of the set as Python, on words of which each access is seen."""
    for name, found in list(vars(state_set).items()):
        if hasattr(found, "py_func"):
            monkeypatch.setattr(state_set, name, found.py_func)
    stand_in = Shared()
    for name in ("loaded", "stored", "swapped", "equal", "equal_and_zero", "lowest"):
        monkeypatch.setattr(state_set, name, getattr(stand_in, name))
    return stand_in


def added(shared: Shared, words: int, filled: int, keys: list[list[int]], order: tuple[int, ...]) -> list[bool]:
    """Let each of two threads add one of ``keys`` to a set with ``filled`` states; return which were new.

    ``order``: whose access is next. All states have the same home, so that they meet.
    """
    span, size = (0,) * words, SLOTS * words
    visited = np.zeros(size + atoms.LANES, np.uint64)

    def add(state: list[int]) -> bool:
        return bool(state_set._is_new(np.array([state], np.uint64), 0, visited, 0, 0, size, span))

    for number in range(filled):
        assert add([100 + number] * words)
    shared.threads = Threads([lambda state=state: add(state) for state in keys])
    for number in (*order, *itertools.islice(itertools.cycle(range(len(keys))), PATIENCE)):
        shared.threads.step(number)
    answers, shared.threads = shared.threads.answers, None
    assert len(answers) == len(keys), "a thread waits for ever"
    rows = visited[:size].reshape(-1, words)
    stored = [tuple(int(word & ~TAG) for word in row) for row in rows if row[0]]
    assert sorted(stored) == sorted({*map(tuple, keys), *((100 + number,) * words for number in range(filled))})
    assert not any(add(key) for key in keys)
    return [answers[number] for number in range(len(keys))]


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("bucket", ["empty", "one free", "full"])
@pytest.mark.parametrize("other", ["same", "alike"])
def test_in_every_order_each_state_is_added_once(shared: Shared, words: int, bucket: str, other: str) -> None:
    """``alike``: another state, with the same first word if there are several."""
    slots = atoms.LANES // words
    filled = {"empty": 0, "one free": slots - 1, "full": slots}[bucket]
    state = [7] * words
    keys = [state, state if other == "same" else [*state[:-1], 9]]
    for order in itertools.product((0, 1), repeat=7):
        new = added(shared, words, filled, keys, order)
        assert sorted(new) == [other != "same", True], order
