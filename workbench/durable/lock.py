"""A lock on a directory, held by one process, with a line that says which; it ends with the process, however that ends.

The lock is the kernel's (flock(2)), so nothing is left to be cleared when its holder is killed. The file that carries
it stays where it is: another process may be waiting to open it.
"""

import fcntl
import os
import shlex
import sys
from pathlib import Path

from workbench.errors import WorkbenchError

NAME = "lock"
_LONGEST = 200  #: characters of a command line that are told


class Lock:
    """The lock on ``folder``, taken at once. Raises WorkbenchError that says who holds it, and OSError."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 2 * _LONGEST, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise WorkbenchError(
                f"state {str(folder)!r} is in use by {holder or 'another process'}; "
                "wait until that ends, or name another directory"
            ) from None
        self._tell(f"process {os.getpid()} ({_command()})\n")

    def release(self) -> None:
        """Give the lock back."""
        self._tell("")
        os.close(self._file)

    def _tell(self, text: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(errors="replace"), 0)


def _command() -> str:
    words = [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else ["python"]
    if words[0] == "__main__.py":
        words[0] = "workbench"
    text = shlex.join(words)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
