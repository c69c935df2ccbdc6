"""A limit on the time of a check, so that an answer that never ends does not hang the notebook."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: A program that catches the first interruption gets another one after so many seconds.
AGAIN = 0.5


class TimeIsUp(BaseException):
    """Ends a check; no Exception, so that an ``except Exception`` of an answer does not stop it."""


class Clock:
    """Whether the time was up: what ends a program may be caught, or told as the program's own fault."""

    rang = False

    def ring(self, *_signal: Any) -> None:
        """End whatever runs."""
        self.rang = True
        raise TimeIsUp


@contextmanager
def limited(seconds: float) -> Iterator[Clock]:
    """Interrupt the body after ``seconds`` by raising TimeIsUp in it, again and again until it ends.

    Only Python code of the main thread can be interrupted; elsewhere there is no limit.
    """
    clock = Clock()
    if threading.current_thread() is not threading.main_thread():
        yield clock
        return
    before = signal.signal(signal.SIGALRM, clock.ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield clock
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


__all__ = ["TimeIsUp", "limited"]
