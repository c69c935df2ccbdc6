"""The threads of a search: they run compiled loops, which need no interpreter, while the main thread waits.

Rule kept here: the main thread alone hears Ctrl-C and runs Python; when it is interrupted, the others are told to stop
and have stopped before anything else happens.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

from workbench.engines.explore.numba_search.state_set import STOP

TESTED = {"x86_64", "amd64"}  # other processors order memory less strictly; the loops were not run there
LOOK_EVERY = 0.1  # seconds


def most_threads(wanted: int) -> int:
    """How many threads share the work: one where several are not tested."""
    return wanted if platform.machine().lower() in TESTED else 1


class Crew:
    """Up to `size` threads; a context manager. `tick` is called a few times a second while they work."""

    def __init__(self, size: int, shared: np.ndarray, tick: Callable[[], None]) -> None:
        self.size = size
        self.shared = shared
        self.tick = tick
        self._pool: ThreadPoolExecutor | None = None

    def run(self, tasks: Sequence[Callable[[], object]]) -> None:
        """Run all tasks, each in a thread; raise what any of them raises, after all have ended."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.size)
        self.shared[STOP] = 0
        working = [self._pool.submit(task) for task in tasks]
        try:
            while wait(working, timeout=LOOK_EVERY).not_done:
                self.tick()
        finally:
            self.shared[STOP] = 1
            wait(working)
        for one in working:
            one.result()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
