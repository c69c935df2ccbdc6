"""Measures what steps cost on this host: CPU time of the vCPU's thread in loops of guest code, and the VMM's share.

The rule kept here: a number is a median with its quartiles over many batches, less the cost of the loop itself,
and comes with the share of CPU time spent in user mode. Time in which the thread waited for a CPU does not
count. What the numbers mean depends on the KVM: where guest kernel code is emulated, none of them is the cost of a
hardware exit.
"""

import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import quantiles
from typing import NamedTuple

from workbench.core.kvm_registers import STEAL_TIME, SYSTEM_TIME_NEW, WALL_CLOCK_NEW
from workbench.engines.kvm.guest.executor import Executor
from workbench.engines.kvm.guest.exit_answers import MsrAnswer
from workbench.engines.kvm.guest.guest import Guest

TSC = 0x10
_DEFLECTED = 0x4B564D20  # assigned to no feature
_AREA = 0x3000
_BATCHES = 41


class Cost(NamedTuple):
    """Nanoseconds of CPU time of one operation: median and quartiles over batches."""

    what: str
    handled_by: str  #: guest, kernel, user
    median_ns: float
    lower_ns: float  #: first quartile
    upper_ns: float  #: third quartile
    batches: int
    operations: int  #: in each batch
    user_share: (
        float | None
    )  #: of the CPU time of the vCPU's thread, in user mode: the VMM's Python; None: unknown


class _Batch(NamedTuple):
    cpu_ns: int
    user_s: float
    system_s: float


def _batch(job: Callable[[], object]) -> _Batch:
    before = resource.getrusage(resource.RUSAGE_THREAD)
    began = time.thread_time_ns()
    job()
    took = time.thread_time_ns() - began
    after = resource.getrusage(resource.RUSAGE_THREAD)
    return _Batch(took, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)


def _cost(
    guest: Guest, what: str, by: str, times: int, job: Callable[[Executor], object], *, bare: bool = False
) -> Cost:
    """Time ``job`` on vCPU 0 in batches, each against a loop of as many iterations that does nothing."""
    executor = guest.executor(0)

    def measure() -> list[tuple[_Batch, _Batch]]:
        empty = partial(executor.count, 1 if bare else times)
        return [(_batch(partial(job, executor)), _batch(empty)) for _ in range(_BATCHES)]

    batches = guest.call(0, measure)
    lower, median, upper = quantiles([(work.cpu_ns - base.cpu_ns) / times for work, base in batches], n=4)
    user = sum(work.user_s for work, _ in batches)
    cpu = user + sum(work.system_s for work, _ in batches)
    share = user / cpu if cpu and by == "user" else None
    return Cost(what, by, median, lower, upper, _BATCHES, times, share)


def costs() -> Iterator[Cost]:
    """Measure, one after the other; some seconds."""
    with Guest(deflect={_DEFLECTED}, on_msr_exit=lambda cpu, access: MsrAnswer()) as guest:
        yield _cost(guest, "DEC, JNZ at CPL 0", "guest", 20_000, lambda e: e.count(20_000), bare=True)
        yield _cost(
            guest, "DEC, JNZ at CPL 3", "guest", 200_000, lambda e: e.user("user count", 200_000), bare=True
        )
        for register, area in ((STEAL_TIME, _AREA), (SYSTEM_TIME_NEW, _AREA + 0x100), (WALL_CLOCK_NEW, _AREA + 0x200)):
            job = partial(_loop, msr=register.msr, value=area | register.enable, times=2000)
            yield _cost(guest, f"WRMSR {register.name}, served by KVM", "kernel", 2000, job)
        yield _cost(
            guest,
            "WRMSR deflected, answered at once",
            "user",
            500,
            lambda e: e.wrmsr_loop(_DEFLECTED, 0, 500),
        )
        yield _cost(guest, "entry and exit by OUT", "user", 200, _nops, bare=True)


def _loop(executor: Executor, msr: int, value: int, times: int) -> object:
    return executor.wrmsr_loop(msr, value, times)


def _nops(executor: Executor) -> None:
    for _ in range(200):
        executor.nop()


def tsc_per_ns(seconds: float = 0.05) -> float:
    """Return how many cycles a guest's TSC counts in a nanosecond."""
    with Guest() as guest:

        def measure() -> float:
            read = partial(guest.vcpu(0).get_msrs, [TSC])
            began, first = time.perf_counter_ns(), read()[0]
            time.sleep(seconds)
            ended, last = time.perf_counter_ns(), read()[0]
            return (last - first) / (ended - began)

        return guest.call(0, measure)
