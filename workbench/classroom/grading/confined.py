"""Runs a function in a forked process behind the fence, and hears what it tells through a pipe.

The rules kept here: the process gets no descriptor but its end of that pipe; what it tells is data (JSON), read as a
stranger's; and it ends by SIGKILL at the latest when its time is up, whatever it has done to signals.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from workbench.classroom.grading.fence import Limits, fenced
from workbench.errors import WorkbenchError
from workbench.reading import parse_json

#: ``work(tell)``: ``tell`` sends one JSON value.
Work = Callable[[Callable[[Any], None]], None]
_LONGEST_PATH = 3000
_EACH = 32 << 10  #: bytes that a file or folder counts at least: many small ones take long to remove
_LOOK = 0.1  #: seconds between two looks at the size of the folder

#: Why a process ended before its work did.
TIME, CPU, DISK, TALK, SIGNAL, STATUS = "time", "processor time", "disk", "output", "signal", "status"


#: The fence lets no thread be made, and a library of linear algebra that cannot make its own ends the process.
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP")}


class Heard(NamedTuple):
    """What a process told, in order, and how it ended: "" after its work, or one of the words above."""

    told: list[Any]
    ended: str
    number: int = 0  #: of the signal or the status

    @property
    def why(self) -> str:
        """How it ended, in words; "" after its work."""
        return {
            "": "",
            TIME: "it did not end in time",
            CPU: "it used all the processor time that it may have",
            DISK: "it wrote more into files than it may",
            TALK: "it gave more data than an answer may have",
            SIGNAL: f"its process was ended by {_signal_name(self.number)}",
            STATUS: f"it ended its own process (status {self.number})",
        }[self.ended]


def confined(work: Work, folder: Path, limits: Limits, *, kernel: bool = True) -> Heard:
    """Do ``work`` in a process of its own, whose files are in ``folder``, and wait for its end.

    ``folder`` must be empty, and is emptied afterwards. ``kernel`` as in ``fenced``.
    """
    ours, theirs = os.pipe()
    parent = os.getpid()
    sys.stdout.flush()
    gc.freeze()  # what is here already is not looked at, so not copied, by the child
    child = os.fork()
    if child == 0:
        _be_the_child(work, folder, limits, theirs, parent, kernel)
    os.close(theirs)
    try:
        return _listen(child, ours, folder, limits)
    finally:
        os.close(ours)
        _empty(folder)


# -- in the child -------------------------------------------------------------------------------------------


def _be_the_child(work: Work, folder: Path, limits: Limits, pipe: int, parent: int, kernel: bool) -> None:
    """Do the work and end this process; never returns."""
    status = 1
    try:
        pipe = _without_descriptors(pipe)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update({"HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "MPLBACKEND": "Agg"})
        os.environ.update(_ONE_THREAD)
        tempfile.tempdir = str(folder)
        fenced(folder, limits, parent, kernel=kernel)

        def tell(value: Any) -> None:
            text = json.dumps(value, allow_nan=False).encode() + b"\n"
            while text:
                text = text[os.write(pipe, text) :]

        work(tell)
        status = 0
    finally:
        os._exit(status)


def _without_descriptors(pipe: int) -> int:
    """Close everything but the pipe, and let 0 to 2 be nothing: they belong to others. Return where the pipe is now."""
    nothing = os.open(os.devnull, os.O_RDWR)
    kept = os.dup(pipe)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
    pipe = os.dup2(kept, 3)
    os.closerange(4, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return pipe


# -- in the parent ------------------------------------------------------------------------------------------


def _listen(child: int, pipe: int, folder: Path, limits: Limits) -> Heard:
    """Hear what the child tells until it ends; end it where it goes beyond a limit."""
    until, text, ended = time.monotonic() + limits.wall, bytearray(), ""
    try:
        while not ended:
            if time.monotonic() > until:
                ended = TIME
            elif select.select([pipe], [], [], _LOOK)[0]:
                read = os.read(pipe, 1 << 16)
                if not read:
                    break  # it has ended, or has closed its pipe: nothing more can be told
                text += read
                ended = TALK if len(text) > limits.told else ""
            ended = ended or (DISK if _size(folder) > limits.disk else "")
    finally:
        number, used = _end(child, wait=not ended)
    if not ended and number:
        how = SIGNAL if number < 0 else STATUS
        is_cpu = number == -signal.SIGXCPU or (number == -signal.SIGKILL and used >= limits.cpu)
        return Heard(_values(bytes(text)), CPU if is_cpu else how, abs(number))
    return Heard(_values(bytes(text)), ended)


_PATIENCE = 1.0  #: seconds for a process to end that has closed its pipe


def _end(child: int, *, wait: bool) -> tuple[int, float]:
    """Wait for the end of a child that has finished, or end it; return its status and its processor time."""
    until = time.monotonic() + _PATIENCE
    while wait and time.monotonic() < until:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def _values(text: bytes) -> list[Any]:
    """Return the values that were told; a line that is none, as its program may write one, is left out."""
    found = []
    for line in text.decode("utf-8", errors="replace").split("\n")[:-1]:
        with suppress(WorkbenchError):
            found.append(parse_json(line))
    return found


def _size(folder: Path) -> float:
    """Return how many bytes the files in a folder take, each more than it holds.

    It is infinite where files could be hidden: in a folder that may not be read, or that is deeper than paths can be.
    """
    total, ahead = 0, [str(folder)]
    while ahead:
        try:
            with os.scandir(ahead.pop()) as found:
                for entry in found:
                    total += _EACH + entry.stat(follow_symlinks=False).st_blocks * 512
                    if len(os.fsencode(entry.path)) > _LONGEST_PATH:
                        return float("inf")
                    if entry.is_dir(follow_symlinks=False):
                        ahead.append(entry.path)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError:  # a folder that may not be read
            return float("inf")
    return total


def _empty(folder: Path) -> None:
    """Remove all that is in a folder, however deep it is: level by level, where no path is longer than a name."""
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    above: list[tuple[str, list[str]]] = []  # the way down: each folder's name, and its neighbours that are left
    left = _folders_left(here)
    while above or left:
        if left:
            name = left.pop()
            above.append((name, left))
            os.chmod(name, 0o700, dir_fd=here)
            here = _moved(here, name)
            left = _folders_left(here)
        else:
            name, left = above.pop()
            here = _moved(here, "..")
            os.rmdir(name, dir_fd=here)
    os.close(here)


def _moved(here: int, name: str) -> int:
    there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
    os.close(here)
    return there


def _folders_left(here: int) -> list[str]:
    """Remove all files of a folder; return the names of the folders in it."""
    with os.scandir(here) as found:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
    for name, is_folder in entries:
        if not is_folder:
            os.unlink(name, dir_fd=here)
    return [name for name, is_folder in entries if is_folder]


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
