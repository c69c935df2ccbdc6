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
        from IPython.display import clear_output

        now = time.monotonic()
        if done >= of and self._said:
            clear_output()
            self._said = False
        elif done < of and now - self._spoke >= PATIENCE:
            clear_output(wait=True)
            sys.stdout.write(f"{self.what}: {done} of {of}\n")
            self._spoke, self._said = now, True
