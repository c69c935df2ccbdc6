"""Progress in a notebook: a line that is replaced while a cell works, and gone when it has ended."""

from __future__ import annotations

import sys
import time
from typing import Any

#: Seconds between two lines; work that is shorter shows none.
PATIENCE = 1.0


class Waiting:
    """A function of (done, total, ...), as long work calls it; its line is gone when all is done."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._spoke = time.monotonic()
        self._said = False

    def __call__(self, done: int, of: int, *_more: Any) -> None:
        """Show how much is done, if the last line is older than PATIENCE."""
        if done < of:
            self.say(f"{done} of {of}")
        else:
            self.done()

    def say(self, text: str) -> None:
        """Show what is being done, if the last line is older than PATIENCE."""
        from IPython.display import clear_output

        now = time.monotonic()
        if now - self._spoke >= PATIENCE:
            clear_output(wait=True)
            sys.stdout.write(f"{self.what}: {text}\n")
            self._spoke, self._said = now, True

    def done(self) -> None:
        """Take the line away, if there is one."""
        from IPython.display import clear_output

        if self._said:
            clear_output()
            self._said = False
