"""Progress on stderr for what takes longer than two seconds: a line every two seconds at most."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

PATIENCE = 2.0  # seconds


class Progress:
    """Says what is being done, whenever nothing was said for longer than ``patience`` seconds."""

    def __init__(self, stream: TextIO | None = None, patience: float = PATIENCE) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.patience = patience
        self._spoke = time.monotonic()

    def counting(self, what: str) -> Callable[[int, int], None]:
        """Return a function of (done, of how many) that says so of ``what``."""
        return lambda done, of: self(f"{what}: {done} of {of}")

    def __call__(self, what: str) -> None:
        """Say ``what`` is being done now."""
        now = time.monotonic()
        if now - self._spoke >= self.patience:
            self.stream.write(f"workbench: {what}\n")
            self.stream.flush()
            self._spoke = now
