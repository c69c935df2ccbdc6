"""Progress on stderr for whatever takes longer than two seconds."""

from __future__ import annotations

import sys
import time

from workbench.engines.explore import Progress

QUIET = 2.0  #: seconds before the first line, and between two


def note(text: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"workbench: {text}\n")
    sys.stderr.flush()


class Reporter:
    """Says now and then where a search is; silent while everything is quick."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def search(self, what: str, progress: Progress) -> None:
        """Report a search: states, frontier, depth and rate."""
        self.say(
            f"{what}: {progress.states:,} states, frontier {progress.frontier:,}, depth {progress.depth}, "
            f"{progress.rate:,.0f} states/s"
        )

    def say(self, text: str) -> None:
        """Write one line, unless the last one is too recent."""
        now = time.monotonic()
        if now - self._last >= QUIET:
            self._last = now
            note(text)
