"""The process beside a guarded folder (``guard``): waits until its parent is gone, then clears what that has left.

Run as ``python cleaner.py FOLDER EMPTIED...``; it imports nothing of the package, so that it starts quickly.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_ROUNDS, _PAUSE = 20, 0.1  # a process that is just being started is found in a later round


def main(folder: Path, emptied: Sequence[Path]) -> None:
    """Wait for the end of standard input; then kill, and remove."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    for _ in range(_ROUNDS):
        killed = kill_all(folder)
        clear(folder, emptied)
        if not killed and not folder.exists():
            break
        time.sleep(_PAUSE)


def clear(folder: Path, emptied: Sequence[Path]) -> None:
    """Remove ``folder``, then each of ``emptied`` that holds nothing, until the first that does."""
    shutil.rmtree(folder, ignore_errors=True)
    for place in emptied:
        try:
            place.rmdir()
        except OSError:
            break  # what is above it holds something too


def kill_all(folder: Path) -> bool:
    """Kill the processes whose temporary files are in ``folder``; tell whether there were any."""
    mark, found = b"\0TMPDIR=" + os.fsencode(folder), False
    for process in Path("/proc").glob("[0-9]*"):
        try:
            given = b"\0" + (process / "environ").read_bytes() + b"\0"
            if int(process.name) != os.getpid() and (mark + b"\0" in given or mark + b"/" in given):
                os.kill(int(process.name), signal.SIGKILL)
                found = True
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(place) for place in sys.argv[2:]])
