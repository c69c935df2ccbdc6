"""What the failure matrix explores: a task is one event at one size; processes share them (``durable.pool``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from workbench.checking.failures import FAILURES, Failure
from workbench.core.contracts.event import Event
from workbench.durable.efforts import Efforts
from workbench.durable.pool import NotSharedError
from workbench.durable.share import Jobs, shared, sharing
from workbench.engines.explore.vm import Bounds
from workbench.features import FEATURES
from workbench.features import choose as choose_features
from workbench.lifecycle import Composed
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.exploration.cells import Cell, cells_of
from workbench.measure.exploration.explore import Question, explored
from workbench.measure.exploration.memory_limit import half_of_memory
from workbench.measure.sent import sent
from workbench.measure.variants import Variant, first_feature

#: A size that exceeds this is BOUNDED in the matrix; ``explore`` goes further.
MAX_STATES = 1_000_000


@dataclass(frozen=True)
class Size:
    """The size of a scenario; ``reads``: payloads that other vCPUs read during the run."""

    vcpus: int
    features: tuple[str, ...]  #: names, or path/to/file.py:Class
    reads: int = 0

    def __str__(self) -> str:
        reads = f", {self.reads} read by others" if self.reads else ""
        names = (feature.name for feature in choose_features(self.features))
        return f"{self.vcpus} vCPU{'s' if self.vcpus > 1 else ''}: {' + '.join(names)}{reads}"


#: One vCPU with two features shows how calls for different features interact.
ALONE = (Size(1, ("wall_clock", "steal_time")), Size(1, ("kvmclock", "async_pf")), Size(1, ("pv_eoi", "watchdog")))
#: Two vCPUs with one feature, each in turn, show the races between vCPUs, and whose state a handler touches.
TOGETHER = tuple(Size(2, (name,)) for name in FEATURES)
#: Two vCPUs, one of which reads a payload of the other during the run.
READING = (Size(2, ("kvmclock",), reads=1),)
READERS = frozenset({"boot", "migrate"})
#: With two vCPUs, memory that goes and returns, and events in an area, take more than MAX_STATES, and two moves as long
#: as five events; at the edge of memory the second vCPU, whose descriptor lies elsewhere, would register, and hide that
#: the first one cannot. What CPUID hides, it hides from every vCPU in the same way. An NMI interrupts its own vCPU.
ONE_VCPU = frozenset({
    "memslot-return", "i386-edge", "page-ready", "migrate-clock-hidden", "hidden-ignored", "no-vmexit-delivery",
    "nmi-between-exits",
})  # fmt: skip


def sizes_for(event: Event, own: tuple[str, ...] = ()) -> tuple[Size, ...]:
    """Return the sizes at which an event is explored by default; a joined one at those of its parts.

    ``own``: the features of a design's own ABI (``Protocol.own_features``), the first of which the others may need.
    """
    if own:
        return _sizes_of_own(event, own)
    if isinstance(event, Composed):
        endless = [part for part in event.parts if hasattr(part, "registrations")]
        wanted = (_for_joined(size) for part in endless or event.parts for size in sizes_for(part))
        fitting = tuple(dict.fromkeys(size for size in wanted if size.vcpus >= event.min_vcpus))
        return fitting or (Size(event.min_vcpus, TOGETHER[0].features),)
    if hasattr(event, "registrations"):
        return (Size(1, ("steal_time",)),)  # a long program: one vCPU and one feature are enough
    together = (replace(size, vcpus=1) for size in TOGETHER) if event.name in ONE_VCPU else TOGETHER
    chosen = (*ALONE, *together) if event.min_vcpus == 1 else TOGETHER
    sizes = tuple(size for size in chosen if event.concerns(choose_features(size.features)))
    return sizes + (READING if event.name in READERS else ())


def sizes_of(one: Variant, event: Event, sizes: Sequence[Size] | None = None) -> tuple[Size, ...]:
    """Return the sizes at which a design is explored: these, or by default those of :func:`sizes_for`.

    A size without features is of the first feature that the design has.
    """
    if sizes is None:
        return sizes_for(event, one.kind.own_features)
    return tuple(size if size.features else replace(size, features=first_feature(one)) for size in sizes)


def _sizes_of_own(event: Event, own: tuple[str, ...]) -> tuple[Size, ...]:
    """One vCPU with the first feature and each of the others; two vCPUs with the first; one if the event is long."""
    if hasattr(event, "registrations") or isinstance(event, Composed):
        sizes: tuple[Size, ...] = (Size(event.min_vcpus, own[:1]),)
    else:
        alone = tuple(Size(1, (own[0], other)) for other in own[1:]) or (Size(1, own[:1]),)
        alone = alone if event.min_vcpus == 1 else ()
        sizes = (*alone, *(() if event.name in ONE_VCPU else (Size(2, own[:1]),)))
    return tuple(size for size in sizes if event.concerns(choose_features(size.features)))


def _for_joined(size: Size) -> Size:
    """Return the size at which a joined event, which is long, is explored in place of ``size``."""
    return replace(size, vcpus=1) if size in TOGETHER and size.features != ("steal_time",) else size


@dataclass(frozen=True)
class Task:
    """Everything a worker process needs to fill the cells of one event at one size."""

    variant: Variant
    event: Event
    size: Size
    codes: tuple[str, ...]
    max_states: int

    def question(self) -> Question:
        """Return the question to explore."""
        features = choose_features(self.size.features)
        return Question(self.variant, self.event, features, self.size.vcpus, Bounds(reads=self.size.reads))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process: an event that ships or is from a file goes by its name or path, others as such."""
        return _arrived, (self.variant, sent(self.event), self.size, self.codes, self.max_states)


def _arrived(variant: Variant, event: str | Event, *rest: Any) -> Task:
    return Task(variant, choose_event(event), *rest)


def work(task: Task, sharing: int | None = None) -> list[Cell]:
    """Explore one task and return its cells; raise KeyboardInterrupt if the user stops the search.

    ``sharing``: how many processes that do the same share the memory of this machine. None: this process does all of
    them, in one thread, as was asked for; others have their share of the cores (``durable.cores``).
    """
    options: dict[str, Any] = {"max_states": task.max_states, "max_bytes": half_of_memory(sharing or 1)}
    jobs = 1 if sharing is None else None
    return list(cells_of(explored(task.question(), failures_of(task), **options, jobs=jobs)))


def tasks(
    chosen: Iterable[Variant],
    events: Iterable[Event],
    failures: Sequence[Failure],
    sizes: Sequence[Size] | None,
    max_states: int,
) -> list[Task]:
    """Return what has to be explored, in the order of the matrix; a size that is too small for an event is left out."""
    codes = tuple(failure.code for failure in failures)
    return [
        Task(variant, event, size, codes, max_states)
        for variant in chosen
        for event in events
        for size in sizes_of(variant, event, sizes)
        if size.vcpus >= event.min_vcpus
    ]


def failures_of(task: Task) -> list[Failure]:
    """Return the failures that a task asks for."""
    return [FAILURES[code] for code in task.codes]


def searched(
    todo: Sequence[Task], left: Sequence[int], jobs: Jobs, efforts: Efforts | None = None
) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the number and the cells of each of the tasks ``left``, as soon as it is finished by one of ``jobs``.

    ``efforts`` learns what each took. Several jobs begin with those that take longest, one does them in order.
    """
    efforts = efforts or Efforts()
    efforts.expect({number: _labels(todo[number]) for number in left})
    return _shared(todo, left, jobs, efforts) if left and jobs != 1 else _here(todo, left, efforts)


def _labels(task: Task) -> tuple[str, Size, str]:
    return task.event.name, task.size, task.variant.label


def _here(todo: Sequence[Task], left: Iterable[int], efforts: Efforts) -> Iterator[tuple[int, list[Cell]]]:
    for number in left:
        began = time.monotonic()
        cells = work(todo[number])
        efforts.finished(number, time.monotonic() - began)
        yield number, cells


def _shared(
    todo: Sequence[Task], left: Sequence[int], jobs: Jobs, efforts: Efforts
) -> Iterator[tuple[int, list[Cell]]]:
    """Share the work out; do it all here if it needs a class that no other process can find."""
    pieces = {number: todo[number] for number in left}
    try:
        yield from shared(pieces, _searching, [sharing(jobs, len(left))], jobs, efforts)
    except NotSharedError:
        yield from _here(todo, left, efforts)


@contextmanager
def _searching(jobs: int) -> Iterator[tuple[None, Callable[[tuple[int, Task]], tuple[int, list[Cell]]]]]:
    """Begin in a worker (``durable.pool``), one of ``jobs`` that share this machine's memory."""

    def search(piece: tuple[int, Task]) -> tuple[int, list[Cell]]:
        number, task = piece
        return number, work(task, sharing=jobs)

    yield None, search
