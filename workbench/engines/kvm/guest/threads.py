"""vCPU threads: new threads that run vCPUs as long as these exist, and a watchdog that limits every run.

The rules kept here. A vCPU's ioctls are all issued by one thread, which is new (at the first update, KVM counts
the whole time that the thread has ever waited as steal). No run lasts longer than its limit: the watchdog signals
the thread, and since the signal is blocked everywhere but inside KVM_RUN, no signal is lost or arrives
elsewhere. After ``close`` no thread is left.
"""

import queue
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from workbench.engines.kvm.api.exits import Exit, Interrupted
from workbench.engines.kvm.api.vcpu import Vcpu
from workbench.errors import EngineError

T = TypeVar("T")

#: The signal that interrupts KVM_RUN; blocked outside it. (34: so that imports work on other systems, too.)
KICK = getattr(signal, "SIGRTMIN", 34) + 6
_CLOSE_SECONDS = 5.0


def _block_signals() -> None:
    """Block all signals in this thread, except those that report a crash of this thread."""
    crashes = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - crashes)


class Pending(Generic[T]):
    """The result of a job that runs in a vCPU's thread."""

    def __init__(self, job: Callable[[], T]) -> None:
        self._job = job
        self._done: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def result(self) -> T:
        """Wait for the job; return what it returned, raise what it raised. To be called once."""
        good, value = self._done.get()
        if good:
            return cast(T, value)
        raise value

    def run(self) -> None:
        """Do the job, in the thread of the vCPU."""
        try:
            self._done.put((True, self._job()))
        except BaseException as error:  # noqa: BLE001 - any error is raised again in the caller
            self._done.put((False, error))

    def refuse(self, error: EngineError) -> None:
        """Let :meth:`result` raise ``error``; the job is not done."""
        self._done.put((False, error))


class VcpuThread:
    """A thread that runs the jobs of one vCPU, or of several that never run at the same time, one after the other."""

    def __init__(self, number: int, limit: float) -> None:
        """Start the thread of vCPU ``number`` (the first, if of several); each run may last ``limit`` seconds."""
        self.number = number
        self.limit = limit
        self.entered = 0.0  #: when the present run began (time.monotonic); 0 outside a run
        self._overdue = 0.0
        self._closing = False
        self._ended = False
        self._ending, self._gate = threading.Lock(), threading.Lock()
        self._jobs: queue.SimpleQueue[Pending[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"vcpu-{number}", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], T]) -> Pending[T]:
        """Queue ``job`` for this thread. Raises EngineError once closed."""
        pending = Pending(job)
        with self._gate:
            if self._closing:
                raise self._closed()
            self._jobs.put(pending)
        return pending

    def call(self, job: Callable[[], T]) -> T:
        """Run ``job`` in this thread and wait for it; directly if this is the calling thread."""
        if threading.get_ident() == self._thread.ident:
            return job()
        return self.submit(job).result()

    def adopt(self, vcpu: Vcpu) -> None:
        """Let KICK interrupt the runs of ``vcpu``, which this thread will run; called in this thread."""
        vcpu.set_signal_mask(signal.pthread_sigmask(signal.SIG_BLOCK, ()) - {KICK})

    def run(self, vcpu: Vcpu, step: str) -> Exit:
        """KVM_RUN until a real exit; called in this thread.

        Raises EngineError when the run outlasts the limit or the guest is being closed.
        """
        self.entered = began = time.monotonic()
        try:
            while type(reason := vcpu.run()) is Interrupted:
                self._drain()
                where = f"vCPU {vcpu.number}, step {step}"
                if self._overdue == began:
                    raise EngineError(f"guest did not come back within {self.limit:g} s ({where})", "kvm")
                if self._closing:
                    raise EngineError(f"the guest was closed during a run ({where})", "kvm")
        finally:
            self.entered = 0.0
        return reason

    def run_delay(self) -> int:
        """Return how many ns this thread has waited for a CPU since it started; KVM reports this as steal time."""
        schedstat = Path(f"/proc/self/task/{self._thread.native_id}/schedstat").read_text(encoding="ascii")
        return int(schedstat.split()[1])

    def check(self, now: float) -> None:
        """For the watchdog: kick the vCPU if its present run is overdue."""
        began = self.entered
        if began and now - began > self.limit:
            self._overdue = began
            self._kick()

    def close(self) -> None:
        """Stop the guest and end the thread. Raises EngineError if a job does not end."""
        with self._gate:  # the request to end is the last job
            self._closing = True
            self._jobs.put(None)
        give_up = time.monotonic() + _CLOSE_SECONDS
        while self._thread.is_alive() and time.monotonic() < give_up:
            self._kick()
            self._thread.join(0.02)
        if self._thread.is_alive():
            raise EngineError(f"the thread of vCPU {self.number} does not end: its job hangs", "kvm")

    def _closed(self) -> EngineError:
        return EngineError(f"the guest is closed (vCPU {self.number})", "kvm")

    def _kick(self) -> None:
        with self._ending:  # a thread that has ended must not be signalled
            if not self._ended and self._thread.ident is not None and self.entered:
                signal.pthread_kill(self._thread.ident, KICK)

    def _drain(self) -> None:
        while signal.sigtimedwait({KICK}, 0):
            pass

    def _work(self) -> None:
        _block_signals()
        while job := self._jobs.get():
            if self._closing:
                job.refuse(self._closed())
            else:
                job.run()
        with self._ending:
            self._ended = True


class Watchdog:
    """A thread that looks at vCPU threads some times per second and kicks those that are overdue."""

    def __init__(self) -> None:
        self._watched: tuple[VcpuThread, ...] = ()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, thread: VcpuThread) -> None:
        """Watch ``thread`` from now on."""
        self._watched += (thread,)
        if self._thread is None:
            watching = threading.Thread(target=self._work, name="vcpu-watchdog", daemon=True)
            watching.start()
            self._thread = watching  # not before: one that could not be started cannot be joined

    def close(self) -> None:
        """End the watchdog's thread."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _work(self) -> None:
        _block_signals()
        while not self._stop.wait(min(0.1, min(thread.limit for thread in self._watched) / 4)):
            now = time.monotonic()
            for thread in self._watched:
                thread.check(now)
