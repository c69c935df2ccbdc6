"""A process that forks one process for each command line, so that a command need not load the package first.

Run as ``python -m workbench.present.app.launcher``. It reads lines of JSON: ``["begin", number, words, log]`` carries
out ``workbench WORDS``, and what that says goes to the file ``log``; ``["signal", number, signal]`` sends it a signal,
if it has not ended. It prints a line for each command that has ended: ``[number, status]``, minus a signal's number
where that ended it. It has one thread, and ends, with all its commands, when its input does.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import select
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import redirect_stdout

#: What is carried out at first, for nothing but that all that a command needs is loaded.
WARMING = ("page", "operation", "null")
_LOOK = 0.01  #: seconds between two looks at the commands that are at work


def main() -> None:
    """Launch until the end of standard input."""
    with redirect_stdout(io.StringIO()):
        _run(WARMING)
    children: dict[int, int] = {}  # number -> process
    alive = os.pipe()  # a pipe that ends with this process, however it ends
    left = b""
    while True:
        if select.select([0], [], [], _LOOK if children else None)[0]:
            read = os.read(0, 1 << 16)
            if not read:
                break
            *lines, left = (left + read).split(b"\n")
            for line in lines:
                _obey(json.loads(line), children, alive)
        for number, process in list(children.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del children[number]
                os.write(1, f"[{number}, {os.waitstatus_to_exitcode(status)}]\n".encode())
    for process in children.values():
        os.kill(process, signal.SIGKILL)


def _obey(order: Sequence, children: dict[int, int], alive: tuple[int, int]) -> None:
    match order:
        case ["begin", number, words, log]:
            process = os.fork()
            if process == 0:
                _carry_out(words, log, alive)
            children[number] = process
        case ["signal", number, which] if number in children:
            os.kill(children[number], which)


def _carry_out(words: Sequence[str], log: str, alive: tuple[int, int]) -> None:
    """Be ``workbench WORDS``, and end with the launcher; do not return."""
    status = 1
    try:
        os.close(alive[1])
        threading.Thread(target=_end_with, args=(alive[0],), daemon=True).start()
        told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(told, 1)
        os.dup2(told, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = _run(words)
    finally:
        os._exit(status)


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)
    os._exit(1)


def _run(words: Sequence[str]) -> int:
    """Carry out ``workbench WORDS`` as ``python -m workbench`` does; return its status."""
    sys.argv = ["workbench", *words]
    try:
        runpy.run_module("workbench", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    main()
