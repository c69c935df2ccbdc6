"""Progress on stderr for what takes longer than two seconds: a line every two seconds at most."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from workbench.engines import explore

PATIENCE = 2.0  # seconds


class Progress:
    """Says what is being done, whenever nothing was said for longer than ``patience`` seconds (PATIENCE if None)."""

    def __init__(self, stream: TextIO | None = None, patience: float | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.patience = PATIENCE if patience is None else patience
        self._spoke = time.monotonic()

    def counting(self, what: str) -> Callable[[int, int], None]:
        """Return a function of (done, of how many) that says so of ``what``."""
        return lambda done, of: self(f"{what}: {done} of {of}")

    def searching(self, what: str) -> Callable[[explore.Progress], None]:
        """Return a function that says of the search ``what`` how many states it has seen, and how fast."""
        return lambda now: self(
            f"{what}: {now.states:,} states, frontier {now.frontier:,}, depth {now.depth}, {now.rate:,.0f} states/s"
        )

    def __call__(self, what: str) -> None:
        """Say ``what`` is being done now, unless something was said a moment ago."""
        now = time.monotonic()
        if now - self._spoke >= self.patience:
            self.note(what)
            self._spoke = now

    def note(self, text: str) -> None:
        """Say ``text`` in any case: it is no progress, but something to know."""
        self.stream.write(f"workbench: {text}\n")
        self.stream.flush()
