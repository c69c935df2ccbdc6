"""Progress messages on stderr, at most one every two seconds; nothing for work shorter than that."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from workbench.engines import explore
from workbench.printable import printable

PATIENCE = 2.0  # seconds


class Progress:
    """Prints a message if none was printed in the last ``patience`` seconds (PATIENCE if None)."""

    def __init__(self, stream: TextIO | None = None, patience: float | None = None) -> None:
        self.stream: TextIO | None = sys.stderr if stream is None else stream  # None if stderr is closed
        self.patience = PATIENCE if patience is None else patience
        self._spoke = time.monotonic()

    def counting(self, what: str) -> Callable[[int, int], None]:
        """Return a function of (done, total) that prints both, after ``what``."""
        return lambda done, of: self(f"{what}: {done} of {of}")

    def searching(self, what: str) -> Callable[[explore.Progress], None]:
        """Return a function that prints the number of states and the speed of the search ``what``."""
        return lambda now: self(
            f"{what}: {now.states:,} states, frontier {now.frontier:,}, depth {now.depth}, {now.rate:,.0f} states/s"
        )

    def __call__(self, what: str) -> None:
        """Print that ``what`` is being done, unless a message was printed in the last ``patience`` seconds."""
        now = time.monotonic()
        if now - self._spoke >= self.patience:
            self.note(what)
            self._spoke = now

    def note(self, text: str) -> None:
        """Print ``text`` unconditionally, for messages that are not progress; work goes on if it cannot be printed."""
        if self.stream is not None:
            with suppress(OSError):
                self.stream.write(f"workbench: {printable(' '.join(text.split()))}\n")
                self.stream.flush()
