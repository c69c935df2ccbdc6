"""Worker processes that leave Ctrl-C and SIGTERM to their parent, and end when it is gone."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process


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


def end_with_parent() -> None:
    """Let this process exit as soon as its parent is gone, whatever it does then."""

    def watch() -> None:
        parent = parent_process()
        assert parent is not None
        parent.join()  # a pipe ends with the parent, even where its own parent has not yet noticed its death
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
