"""What runs in a Dask worker: each piece is done by a process of its own (``pool``), as on one machine.

The rules kept here: work of another version of this program is refused; authors' files are those that came with the
work, whatever lies at their path on this machine; a process whose client asks no more ends within a minute.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from workbench.core import own_files
from workbench.core.rules import place
from workbench.durable import content
from workbench.durable.guard import guarded_folder
from workbench.durable.pool import Begin, Pool
from workbench.durable.worker import failed
from workbench.errors import EngineError, WorkbenchError

_TEMPORARY = "temporary-files-of-a-worker"
_LEASE = 60.0  #: seconds that a process without work is kept
_IDLE: dict[str, list[Pool]] = {}
_BUSY: dict[str, list[Pool]] = {}
_LOCK = threading.Lock()


class Luggage(NamedTuple):
    """What travels with work: the client's versions, its files by path, which of them are loaded, where it is.

    ``sharing``: how many workers have the cores of one machine together.
    """

    versions: dict[str, str]
    files: dict[str, bytes]
    loaded: tuple[str, ...]
    cwd: str
    path: tuple[str, ...]
    sharing: int


def packed(begin: Begin, arguments: Any, sharing: int) -> bytes:
    """Return work with everything that it needs elsewhere, as bytes; ``sharing``: of :class:`Luggage`."""
    loaded = own_files.loaded()
    files = {str(path): text for one in loaded for path, text in content.files_of(Path(one)).items()}
    path = tuple(map(os.path.abspath, sys.path))
    luggage = Luggage(content.versions(), files, loaded, str(Path.cwd()), path, sharing)
    return pickle.dumps((luggage, pickle.dumps((begin, tuple(arguments)))))


def versions() -> dict[str, str]:
    """Return the versions that this worker has."""
    return content.versions()


def kept(data: bytes) -> bytes:
    """Return ``data``: a task, so that a cluster can make it again if the worker that has it is lost."""
    return data


def carry(campaign: str, work: bytes, piece: bytes) -> tuple[bool, Any, bytes]:
    """Return (whether it went well, what the process told first, its answer or exception) of one piece."""
    pool = None
    try:
        with _LOCK:
            found = _IDLE.get(campaign)
            pool = found.pop() if found else None
        if pool is None:
            luggage, asked = pickle.loads(work)
            refuse(luggage.versions, content.versions(), _me())
            pool = Pool(1, _unpacking, [luggage, asked], beside=luggage.sharing, of=_me())
        with _LOCK:
            _BUSY.setdefault(campaign, []).append(pool)
        pool.give(piece)
        (answer,) = pool.finished()
        hello = pool.hello[0]
        _rest(campaign, pool)
        return True, hello, answer
    except BaseException as error:  # noqa: BLE001 - the client raises it
        if pool is not None:
            pool.close(at_once=True)
        if isinstance(error, MemoryError):
            what = "ask for fewer vCPUs, features or states, or run fewer workers there"
            error = EngineError(f"{_me()} is out of memory; {what}")
        return False, None, failed(error)


def _me() -> str:
    """Return what the client's user is told of this worker."""
    from distributed import get_worker

    return f"the worker at {get_worker().address}"


def _rest(campaign: str, pool: Pool) -> None:
    with _LOCK:
        _BUSY[campaign].remove(pool)
        _IDLE.setdefault(campaign, []).append(pool)
    timer = threading.Timer(_LEASE, _end_if_idle, [campaign, pool])
    timer.daemon = True
    timer.start()


def _end_if_idle(campaign: str, pool: Pool) -> None:
    with _LOCK:
        idle = pool in _IDLE.get(campaign, ())
        if idle:
            _IDLE[campaign].remove(pool)
    if idle:
        pool.close(at_once=True)


def end(campaign: str) -> None:
    """End all processes that work for a client."""
    with _LOCK:
        found = [*_IDLE.pop(campaign, ()), *_BUSY.pop(campaign, ())]
    for pool in found:
        pool.close(at_once=True)


def refuse(ours: dict[str, str], theirs: dict[str, str], who: str) -> None:
    """Raise WorkbenchError if a worker's versions are not the client's."""
    differ = [
        f"{name} is {theirs.get(name, 'absent')} there, {ours.get(name, 'absent')} here"
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    ]
    if differ:
        raise WorkbenchError(f"{who} is of another version: {'; '.join(differ)}; install the same there")


@contextmanager
def _unpacking(luggage: Luggage, asked: bytes) -> Iterator[tuple[Any, Callable[[bytes], bytes]]]:
    """Begin in the process: lay the client's files out in a folder, and load those that the client has loaded."""
    with guarded_folder() as folder:
        for name, text in luggage.files.items():
            path = place.moved_into(folder, Path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        place.elsewhere = folder
        tempfile.tempdir = str(folder / _TEMPORARY)  # what this process writes and then names by its path is there too
        Path(tempfile.tempdir).mkdir()
        here = place.moved_into(folder, Path(luggage.cwd))
        here.mkdir(parents=True, exist_ok=True)
        os.chdir(here)
        sys.path[:0] = [str(one) for name in luggage.path if (one := place.moved_into(folder, Path(name))).exists()]
        for name in luggage.loaded:
            own_files.load(Path(name))
        begin, arguments = pickle.loads(asked)
        with begin(*arguments) as (hello, work):
            yield hello, lambda piece: pickle.dumps(work(pickle.loads(piece)))


__all__ = ["Luggage", "carry", "end", "kept", "packed", "refuse", "versions"]
