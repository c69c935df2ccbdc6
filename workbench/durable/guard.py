"""Folders and child processes that do not outlive this process, even if it is killed.

Beside each guarded folder runs a small process (``cleaner``) that waits for the end of a pipe. The kernel closes that
pipe when this process ends, for whatever reason; the cleaner then kills the processes that were started with the
folder's :func:`environment`, removes the folder, and ends. It is in a session of its own, so that what a terminal or a
``kill`` sends to the group of this process does not reach it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from workbench.durable.cleaner import clear

_CLEANER = Path(__file__).with_name("cleaner.py")
_PATIENCE = 10.0  # seconds in which the cleaner has always ended


@contextmanager
def guarded(folder: Path, emptied: Sequence[Path] = ()) -> Iterator[None]:
    """Remove ``folder``, which need not exist yet, after the block, however it or this process ends.

    Then each of ``emptied``, in this order, is removed if it is an empty directory.
    """
    if not folder.is_absolute():
        raise ValueError(f"{folder}: a guarded folder has an absolute path")
    # -I -S: no module but Python's own can be loaded, and the start takes milliseconds.
    command = [sys.executable, "-I", "-S", str(_CLEANER), str(folder), *map(str, emptied)]
    quiet: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cleaner = None
    with suppress(OSError):  # where no process can be started, a kill leaves the folder, and nothing else is lost
        cleaner = subprocess.Popen(command, cwd="/", start_new_session=True, **quiet)
    try:
        yield
    finally:
        if cleaner is not None and cleaner.stdin is not None:
            cleaner.stdin.close()
            cleaner.wait(_PATIENCE)
        clear(folder, emptied)  # for the case that there was no cleaner, or that somebody has killed it


@contextmanager
def guarded_folder() -> Iterator[Path]:
    """Yield a new temporary folder, which is removed after the block, however it or this process ends."""
    folder = Path(tempfile.gettempdir()).absolute() / f"workbench-{os.getpid()}-{secrets.token_hex(4)}"
    with guarded(folder):
        folder.mkdir(mode=0o700)
        yield folder


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for child processes that end with a guarded folder; their temporary files are in it."""
    return {**os.environ, "TMPDIR": str(folder)}
