"""Progress messages on stderr, at most one every two seconds; nothing for work shorter than that."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from workbench.printable import printable

if TYPE_CHECKING:
    from workbench.engines import explore

PATIENCE = 2.0  # seconds
#: The pace is that of the last so many seconds, and is not told before so many have passed.
PACE_OVER, PACE_AFTER = 120.0, 10.0


class Pace:
    """How long many pieces of work will still take, at the pace of the last two minutes: pieces are not alike."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def left(self, done: int, of: int) -> str:
        """Return ", about 4 min left at this pace" when ``done`` of ``of`` pieces are; empty if it is not known yet.

        The first call is for what is done at once, such as what was kept from an earlier run.
        """
        now = self._clock()
        self._seen.append((now, done))
        while now - self._seen[0][0] > PACE_OVER and len(self._seen) > 2:
            self._seen.popleft()
        since, before = self._seen[0]
        if now - since < PACE_AFTER or done == before or done >= of:
            return ""
        seconds = (of - done) * (now - since) / (done - before)
        return f", {f'about {seconds / 60:.0f}' if seconds >= 90 else 'under 2'} min left at this pace"


class Progress:
    """Prints a message if none was printed in the last ``patience`` seconds (PATIENCE if None)."""

    def __init__(self, stream: TextIO | None = None, patience: float | None = None) -> None:
        self.stream: TextIO | None = sys.stderr if stream is None else stream  # None if stderr is closed
        self.patience = PATIENCE if patience is None else patience
        self._spoke = time.monotonic()

    def counting(self, what: str) -> Callable[[int, int], None]:
        """Return a function of (done, total) that prints both, after ``what``."""
        return lambda done, of: self(f"{what}: {done} of {of}")

    def searches(self) -> Callable[[int, int, Any], None]:
        """Return a function of (done, total, task) that prints which search is done, and about how long all will take.

        A task is one of ``measure.exploration.tasks``.
        """
        pace = Pace()

        def tell(done: int, of: int, task: Any) -> None:
            left = pace.left(done, of)
            self(f"{done} of {of}{left}: {task.variant.label} under {task.event.name}, {task.size}")

        return tell

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
