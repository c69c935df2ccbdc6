"""Worker processes that share work: each is a new interpreter, which needs nothing of the program that started it.

Not multiprocessing's: that runs the caller's script again in each process, so that a script without
``if __name__ == "__main__"`` dies, and one on standard input cannot be found at all. Here a script runs again only if
the work needs a class that it defines (:func:`script_of`).

The rules kept here: workers leave Ctrl-C and SIGTERM to their parent; all are gone when the ``with`` block is left, and
within moments when this process is killed (``worker``); one that fails is an exception here, with the reason.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any, NamedTuple

from workbench.durable.cores import share_of
from workbench.durable.workers import deaf_to_signals
from workbench.errors import EngineError, WorkbenchError

_PROGRAM = Path(__file__).with_name("worker.py")
#: Pieces queued at each worker, so that none idles while an answer is dealt with.
_AHEAD = 2
#: Seconds that a worker is given to end by itself.
_PATIENCE = 2
_LONGEST = 300  #: characters of what a dying worker printed

#: In a worker that runs its parent's script again, that script; in all other processes None.
runs_again: str | None = None

#: ``begin(*arguments)`` in a worker: a context manager that yields (what is told to the parent, what does a piece).
Begin = Callable[..., AbstractContextManager[tuple[Any, Callable[[Any], Any]]]]


class NotSharedError(Exception):
    """Work that only this process can do: it needs a class that no other process can find."""


def script_of(pieces: Sequence[Any]) -> str | None:
    """Return the script that workers need to run for ``pieces``, None if they need none.

    Raises NotSharedError if the pieces need a class defined in a notebook, in a prompt or on standard input.
    """
    if b"__main__" not in pickle.dumps(pieces):
        return None
    path = getattr(sys.modules["__main__"], "__file__", None)
    if path is None or not Path(path).is_file():
        raise NotSharedError
    return str(Path(path).absolute())


def _environment(cores: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker; glibc would reserve 128 MiB of address space for each thread's own heap."""
    return {"MALLOC_ARENA_MAX": "1", **os.environ, **cores}


class _Worker(NamedTuple):
    process: subprocess.Popen[bytes]
    printed: IO[bytes]  #: what its interpreter and libraries print of their failure


class Pool:
    """``jobs`` workers. A context manager; ``hello`` is what each told when it was ready.

    Raises EngineError if a worker ends by itself, and whatever a worker raises.
    """

    def __init__(
        self, jobs: int, begin: Begin, arguments: Sequence[Any] = (), script: str | None = None, *,
        beside: int = 1, of: str | None = None,
    ) -> None:  # fmt: skip
        """``beside``: how many such pools share this machine, each worker with its share of the cores.

        ``of``: whose pool it is, in messages, if it is not the user's own.
        """
        if runs_again is not None:
            raise WorkbenchError(
                f"worker processes run {runs_again!r} too, because they need a class of it, and it would begin further "
                'ones there; put what it does, except its classes, under: if __name__ == "__main__":'
            )
        self._of = of
        self._environment = _environment(share_of(jobs * beside))
        self._workers: dict[Connection, _Worker] = {}
        self._given: dict[Connection, int] = {}
        try:
            with deaf_to_signals():
                for _ in range(jobs):
                    self._start()
            for connection in self._workers:
                self._send(connection, (sys.path, script))
                self._send(connection, (begin, tuple(arguments)))
            self.hello = [self._receive(connection) for connection in self._workers]
        except BaseException:
            self.close(at_once=True)
            raise

    def _start(self) -> None:
        ours, theirs = Pipe()
        try:
            printed = os.fdopen(os.memfd_create("printed", os.MFD_CLOEXEC), "r+b")
            errors = os.dup(2)
            try:
                command = [sys.executable, str(_PROGRAM), str(theirs.fileno()), str(errors)]
                passed, nothing, given = (theirs.fileno(), errors), subprocess.DEVNULL, self._environment
                process = subprocess.Popen(command, stdin=nothing, stderr=printed, pass_fds=passed, env=given)
            finally:
                os.close(errors)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._workers[ours], self._given[ours] = _Worker(process, printed), 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.close(at_once=kind is not None)

    @property
    def in_flight(self) -> int:
        """Pieces given and not answered."""
        return sum(self._given.values())

    @property
    def idle(self) -> bool:
        """Whether a worker can take one more piece."""
        return min(self._given.values()) < _AHEAD

    def give(self, piece: Any) -> None:
        """Give a piece, which is not None, to the worker that has the fewest."""
        connection = min(self._given, key=lambda one: self._given[one])
        self._send(connection, piece)
        self._given[connection] += 1

    def finished(self, patience: float | None = None) -> list[Any]:
        """Wait until pieces are answered, at most ``patience`` seconds; return all answers there are."""
        ready = wait([one for one, given in self._given.items() if given], patience)
        if not ready:
            raise EngineError(f"no worker has finished a piece of work for {patience:g} s")
        found = []
        for connection in ready:
            assert isinstance(connection, Connection)
            while connection.poll():
                found.append(self._receive(connection))
                self._given[connection] -= 1
        return found

    def _send(self, connection: Connection, message: Any) -> None:
        try:
            connection.send(message)
        except ConnectionError:
            while True:  # until it tells why the worker is gone
                self._receive(connection)

    def _receive(self, connection: Connection) -> Any:
        try:
            went_well, answer = connection.recv()
        except (EOFError, ConnectionError):
            raise EngineError(self._why_gone(connection)) from None
        if not went_well:
            raise answer
        return answer

    def _why_gone(self, connection: Connection) -> str:
        process, printed = self._workers[connection]
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        printed.seek(0)
        lines = printed.read().decode(errors="replace").split("\n")
        said = next((f": {line.strip()[:_LONGEST]}" for line in reversed(lines) if line.strip()), "")
        how = f"status {process.returncode}"
        if process.returncode is not None and process.returncode < 0:
            how = f"signal {-process.returncode}"
        if self._of is not None:
            return f"a process of {self._of} ended by itself ({how}){said}; perhaps memory is lacking there"
        return f"a worker process ended by itself ({how}){said}; perhaps memory is lacking: try --jobs 1"

    def close(self, *, at_once: bool) -> None:
        """End all processes; unless ``at_once``, by request, so that they finish what they do and clear up."""
        for connection, (process, _) in self._workers.items():
            with suppress(OSError):
                process.kill() if at_once else connection.send(None)
            connection.close()
        for process, printed in self._workers.values():
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            printed.close()
        self._workers.clear()
