"""Progress messages on stderr, at most one every two seconds; nothing for work shorter than that."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from workbench.printable import printable

if TYPE_CHECKING:
    from workbench.durable.efforts import Efforts
    from workbench.engines import explore

PATIENCE = 2.0  # seconds
#: How long the rest will take is not told before so many seconds have passed.
KNOWN_AFTER = 10.0
#: The part of the way by which each message moves the announced end to where it is expected now.
STEP = 1 / 3


class Left:
    """How long many pieces of work will still take, by what ``efforts`` has learned of those that are finished.

    The pieces of several workers overlap, by as much as they did so far.
    """

    def __init__(self, efforts: Efforts, clock: Callable[[], float] = time.monotonic) -> None:
        self._efforts, self._clock, self._began = efforts, clock, clock()
        self._end: float | None = None  # seconds after the beginning

    def seconds(self) -> float | None:
        """Return how long the rest will take; None if that is not known yet, or nothing is left."""
        passed, left, spent = self._clock() - self._began, self._efforts.left(), self._efforts.spent
        if passed < KNOWN_AFTER or not left or not spent:
            return None
        end = passed + left * passed / spent
        self._end = end if self._end is None else self._end + (end - self._end) * STEP
        return max(0.0, self._end - passed)

    def told(self) -> str:
        """Return ", about 4 min left"; empty if that is not known yet, or nothing is left."""
        seconds = self.seconds()
        if seconds is None:
            return ""
        return f", {f'about {seconds / 60:.0f}' if seconds >= 90 else 'under 2'} min left"


class Progress:
    """Prints a message if none was printed in the last ``patience`` seconds (PATIENCE if None)."""

    def __init__(self, stream: TextIO | None = None, patience: float | None = None) -> None:
        self.stream: TextIO | None = sys.stderr if stream is None else stream  # None if stderr is closed
        self.patience = PATIENCE if patience is None else patience
        self._spoke = time.monotonic()

    def counting(self, what: str) -> Callable[[int, int], None]:
        """Return a function of (done, total) that prints both, after ``what``."""
        return lambda done, of: self(f"{what}: {done} of {of}")

    def searches(self, efforts: Efforts) -> Callable[[int, int, Any], None]:
        """Return a function of (done, total, task) that prints which search is done, and about how long all will take.

        A task is one of ``measure.exploration.tasks``; ``efforts`` has learned what tasks take.
        """
        left = Left(efforts)

        def tell(done: int, of: int, task: Any) -> None:
            if self.is_due():
                self(f"{done} of {of}{left.told()}: {task.variant.label} under {task.event.name}, {task.size}")

        return tell

    def searching(self, what: str) -> Callable[[explore.Progress], None]:
        """Return a function that prints the number of states and the speed of the search ``what``."""
        return lambda now: self(
            f"{what}: {now.states:,} states, frontier {now.frontier:,}, depth {now.depth}, {now.rate:,.0f} states/s"
        )

    def __call__(self, what: str) -> None:
        """Print that ``what`` is being done, unless a message was printed in the last ``patience`` seconds."""
        if self.is_due():
            self.note(what)
            self._spoke = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether the next message would be printed."""
        return time.monotonic() - self._spoke >= self.patience

    def note(self, text: str) -> None:
        """Print ``text`` unconditionally, for messages that are not progress; work goes on if it cannot be printed."""
        if self.stream is not None:
            with suppress(OSError):
                self.stream.write(f"workbench: {printable(' '.join(text.split()))}\n")
                self.stream.flush()
