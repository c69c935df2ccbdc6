"""Child processes that leave Ctrl-C and SIGTERM to their parent."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deaf_to_signals() -> Iterator[None]:
    """Let processes started in the block never notice SIGINT and SIGTERM, which the parent handles and then ends them.

    A signal that comes in the block reaches the parent behind it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
