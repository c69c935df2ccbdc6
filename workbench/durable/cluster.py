"""Workers of a Dask cluster share work; the optional package ``distributed`` is needed (BSD-3-Clause).

The rules kept here: an answer counts once; a worker that is lost costs what it was doing, which another one does again;
a worker of another version is refused before it does anything; a cluster of our own ends with this process.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import queue
import secrets
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench.durable import carry
from workbench.durable.guard import environment, guarded_folder
from workbench.durable.pool import Begin
from workbench.durable.workers import deaf_to_signals
from workbench.errors import EngineError, WorkbenchError

KVM = "KVM"  #: the resource of workers that may use /dev/kvm: dask worker --resources KVM=1
_AHEAD = 2  #: pieces in flight for each thread of a worker
_PATIENCE = 60.0  #: seconds without any worker, after which the work is given up
_ANSWER = 5.0  #: seconds in which a scheduler has to answer
_FIRST = 60.0  #: seconds in which the first worker has to come


@contextmanager
def cluster(*, scheduler: str | None = None, local: int = 0) -> Iterator[Cluster]:
    """Yield the cluster of a scheduler's address (tcp://host:8786), or one of ``local`` processes of this machine.

    Raises WorkbenchError if ``distributed`` is not installed, nobody answers, or a worker is of another version.
    """
    if find_spec("distributed") is None:
        raise WorkbenchError("a cluster needs Dask: pip install 'paravirt-workbench[cluster]'")
    if scheduler is not None:
        yield from _connected(scheduler, 0)
        return
    with guarded_folder() as folder:
        started: list[subprocess.Popen[bytes]] = []
        try:
            address = start_scheduler(folder, started)
            for _ in range(local):
                start_worker(folder, started, address)
            yield from _connected(address, local)
        finally:
            for process in started:
                process.kill()
                process.wait()


def start_scheduler(folder: Path, started: list[subprocess.Popen[bytes]]) -> str:
    """Start a scheduler on this machine, as by hand; return its address. What is started is appended to ``started``."""
    about = folder / "scheduler.json"
    _start(folder, started, "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(about),
           "--no-dashboard", "--no-show", "--dashboard-address", ":0")  # fmt: skip
    end = time.monotonic() + _FIRST
    address = ""
    while not address:
        with suppress(OSError, ValueError, KeyError):
            address = json.loads(about.read_text(encoding="utf-8"))["address"]
        if started[0].poll() is not None or time.monotonic() > end:
            raise EngineError("a scheduler of Dask could not be started on this machine")
        time.sleep(0.05)
    return address


def start_worker(folder: Path, started: list[subprocess.Popen[bytes]], address: str) -> None:
    """Start a worker of a scheduler, with one thread; its files are in ``folder``, which is a guarded one."""
    _start(folder, started, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit",
           "0", "--host", "127.0.0.1", "--local-directory", str(folder), "--resources", f"{KVM}=1")  # fmt: skip


def _start(folder: Path, started: list[subprocess.Popen[bytes]], what: str, *options: str) -> None:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
    quiet: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with deaf_to_signals():
        started.append(subprocess.Popen(command, env=environment(folder), **quiet))


def _connected(address: str, wanted: int) -> Iterator[Cluster]:
    from distributed import Client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its version warnings: ours are errors
        try:
            _ask_who_it_is(address, _FIRST if wanted else _ANSWER)
            client = Client(address, timeout=_FIRST if wanted else 10, set_as_default=False)
        except Exception as error:  # whatever Dask makes of what somebody else answers
            raise WorkbenchError(f"no scheduler of Dask answers at {address!r}; is it tcp://HOST:PORT?") from error
        try:
            try:
                client.wait_for_workers(max(wanted, 1), timeout=_FIRST)
            except TimeoutError as error:
                raise WorkbenchError(f"the scheduler at {address} has no workers: dask worker {address}") from error
            yield Cluster(client)
        finally:
            client.close(timeout=5)


def _ask_who_it_is(address: str, seconds: float) -> None:
    """Ask in a thread of its own, because the caller's may run an event loop, as a notebook's does."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(asyncio.wait_for(_identity(address), seconds))).result()


async def _identity(address: str) -> Any:
    """Ask a scheduler who it is: a client of Dask's would wait for ever for one that is there and says nothing."""
    from distributed.core import rpc
    from distributed.security import Security

    async with rpc(address, connection_args=Security().get_connection_args("client")) as scheduler:
        return await scheduler.identity()


class Cluster:
    """Workers behind a client of Dask's (``share.Crew``). Raises WorkbenchError if one is of another version."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.refuse_others()
        hosts = Counter[str]()
        for address, threads in client.nthreads().items():
            hosts[address.rpartition(":")[0]] += threads
        self.sharing = max(hosts.values(), default=1)

    def refuse_others(self) -> None:
        """Raise WorkbenchError if a worker that is there has no such program as this one."""
        ours = carry.versions()
        for address, found in self.client.run(carry.versions, on_error="return").items():
            if isinstance(found, BaseException):
                said = " ".join(f"{type(found).__name__}: {found}".split())
                raise WorkbenchError(f"the worker at {address} cannot run this program ({said}); install it there")
            carry.refuse(ours, found, f"the worker at {address}")

    @contextmanager
    def pool(self, begin: Begin, arguments: Sequence[Any], *, needs: str | None = None) -> Iterator[ClusterPool]:
        """Yield workers that begin with ``begin(*arguments)``; all processes of theirs are ended after the block."""
        workers = ClusterPool(self.client, carry.packed(begin, arguments, self.sharing), needs)
        try:
            yield workers
        finally:
            workers.close()


class ClusterPool:
    """The workers of a cluster, as ``pool.Pool`` gives those of one machine."""

    def __init__(self, client: Any, work: bytes, needs: str | None) -> None:
        there = client.scheduler_info(n_workers=-1)["workers"].values()
        if needs and not any(needs in one["resources"] for one in there):
            raise WorkbenchError(f"no worker offers {needs}: dask worker tcp://HOST:8786 --resources {needs}=1")
        self.hello: list[Any] = []
        self._client, self._campaign, self._needs = client, secrets.token_hex(8), needs
        self._work = client.submit(carry.kept, work, key=f"work-{self._campaign}")
        self._out: set[Any] = set()
        self._done: queue.Queue[Any] = queue.Queue()
        self._threads, self._asked = 1, 0.0

    @property
    def in_flight(self) -> int:
        """Pieces given and not answered."""
        return len(self._out)

    @property
    def idle(self) -> bool:
        """Whether the workers that are there now can take one more piece."""
        if time.monotonic() - self._asked > 1:
            self._threads, self._asked = sum(self._client.nthreads().values()), time.monotonic()
        return len(self._out) < _AHEAD * max(self._threads, 1)

    def give(self, piece: Any) -> None:
        """Give a piece to the cluster, which gives it to another worker if it is lost with one."""
        future = self._client.submit(
            carry.carry, self._campaign, self._work, pickle.dumps(piece), pure=False,
            resources={self._needs: 1} if self._needs else None,
        )  # fmt: skip
        self._out.add(future)
        future.add_done_callback(self._done.put)

    def finished(self, patience: float | None = None) -> list[Any]:
        """Wait until pieces are answered, at most ``patience`` seconds; return all answers there are."""
        found: list[Any] = []
        begun = last = time.monotonic()
        while not found:
            with suppress(queue.Empty):
                found.append(self._done.get(timeout=1))
                continue
            now = time.monotonic()
            if patience is not None and now - begun > patience:
                raise EngineError(f"no worker has finished a piece of work for {patience:g} s")
            if self._client.nthreads():
                last = now
            elif now - last > _PATIENCE:
                raise EngineError(f"no worker of the cluster is left, for {_PATIENCE:g} s now")
        with suppress(queue.Empty):
            while True:
                found.append(self._done.get_nowait())
        return [self._answer(future) for future in found]

    def _answer(self, future: Any) -> Any:
        self._out.discard(future)
        try:
            went_well, hello, answer = future.result()
        except Exception as error:  # noqa: BLE001 - a worker was lost several times with this piece, or the scheduler is gone
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise EngineError(f"the cluster could not do a piece of the work ({said})") from None
        if not went_well:
            raise pickle.loads(answer)[1]
        self.hello.append(hello)
        return pickle.loads(answer)

    def close(self) -> None:
        """Give up what is not answered, and end the processes that did it."""
        with suppress(Exception):
            self._client.cancel(list(self._out), force=True)
        with suppress(Exception):
            self._client.run(carry.end, self._campaign, on_error="ignore")
        self._out.clear()
