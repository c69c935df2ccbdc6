"""The failure matrix: a verdict for each protocol, lifecycle event and property; each FAILS has a shortest trace.

Every event is explored at a few small sizes (:func:`sizes_for`); a record names the size that decided it: for FAILS
the one with the shortest trace, otherwise the one with the most states. The verdict is HOLDS if all sizes hold.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from workbench.checking.failures import FAILURES, Failure
from workbench.core.contracts.event import Event
from workbench.durable.content import described
from workbench.durable.efforts import Efforts
from workbench.durable.share import Jobs
from workbench.durable.store import Batch, Store, opened
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import choose as choose_events
from workbench.measure.exploration.cells import Cell, as_piece, cells_of, is_final, lacking, merged, of_piece
from workbench.measure.exploration.tasks import (
    MAX_STATES,
    Size,
    Task,
    failures_of,
    searched,
    sizes_for,
    sizes_of,
    tasks,
    work,
)
from workbench.measure.variants import Variant, variants

#: Is called after each task, with how many are done, of how many, and the task.
Reporter = Callable[[int, int, Task], None]


def matrix(
    protocols: Sequence[str | Variant],
    events: Sequence[str | Event] | None = None,
    failures: Sequence[Failure] = tuple(FAILURES.values()),
    sizes: Sequence[Size] | None = None,
    *,
    more: Iterable[Task] = (),
    max_states: int = MAX_STATES,
    jobs: Jobs = 1,
    progress: Reporter | None = None,
    state: Store | Path | str | None = None,
    partial: bool = False,
    traces: bool = True,
    efforts: Efforts | None = None,
) -> list[Cell]:
    """Return a cell for each variant, event and property, in this order; ``events``: None means all.

    ``more``: further tasks of these variants; ``events`` may then be empty.

    ``jobs`` processes, or a cluster (``durable.cluster``), share the work; ``progress(done, total, task)`` is called
    after each task. A program that fails breaks off its own cells. ``state``: a directory in which finished searches
    are kept, without traces, and used by a later call with it, which makes those searches again whose traces are in the
    result. ``traces``: whether any are. ``efforts`` learns what searches take, and knows what is left.

    Raises KeyboardInterrupt when the user stops it, because a cell that lacks a size has no verdict; with ``partial``,
    each such cell is BOUNDED instead, and its note begins with "interrupted". Raises WorkbenchError if nothing could be
    explored, and for a directory that cannot be used.
    """
    more, chosen = tuple(more), variants(protocols)
    happening = () if more and not events and events is not None else choose_events(events)
    order = {variant.label: number for number, variant in enumerate(chosen)}
    todo = [*tasks(chosen, happening, failures, sizes, max_states), *more]
    todo.sort(key=lambda task: order[task.variant.label])
    if not todo:
        least = min(event.min_vcpus for event in happening)
        raise WorkbenchError(f"none of the events can happen at these sizes; at least {least} vCPUs are needed")
    done: dict[int, list[Cell]] = {}
    with opened(state) as store:
        batch = store.batch("searches", _keys(todo, store))
        try:
            with closing(_worked(todo, batch, jobs, efforts)) as results:
                for number, cells in results:
                    done[number] = cells
                    if progress is not None:
                        progress(len(done), len(todo), todo[number])
        except KeyboardInterrupt:
            if not partial:
                raise
        found = _merged(todo, done)
        if traces and len(done) == len(todo):
            _trace_again(todo, done, _without_trace(found, todo, done), jobs, progress)
            found = _merged(todo, done)
    return found if traces else [cell._replace(trace=None) for cell in found]


def _merged(todo: Sequence[Task], done: Mapping[int, list[Cell]]) -> list[Cell]:
    found: dict[tuple[str, str, str], list[Cell]] = {}
    for number, task in enumerate(todo):
        for cell in done[number] if number in done else lacking(task.question(), failures_of(task)):
            found.setdefault((task.variant.label, cell.event, cell.property), []).append(cell)
    return [merged(cells) for cells in found.values()]


def _without_trace(found: Iterable[Cell], todo: Sequence[Task], done: Mapping[int, list[Cell]]) -> list[int]:
    """Return the tasks, by number, whose searches were kept and whose traces are in the result."""
    decided = {_deciding(cell, str(cell.label())) for cell in found if cell.steps is not None and cell.trace is None}
    wanted = []
    for number, task in enumerate(todo):
        own = {_deciding(cell, task.variant.label) for cell in done.get(number, ())}
        if own & decided:  # another size may be as short; the first one decides
            wanted.append(number)
            decided -= own
    return wanted


def _deciding(cell: Cell, label: str) -> tuple[Any, ...]:
    return label, cell.event, cell.property, cell.verdict, cell.steps, cell.vcpus, cell.features


def _trace_again(
    todo: Sequence[Task], done: dict[int, list[Cell]], again: Sequence[int], jobs: Jobs, progress: Reporter | None
) -> None:
    """Search again what lacks its traces; raise WorkbenchError if a search does not end as the one that was kept."""
    for count, (number, cells) in enumerate(searched(todo, again, jobs), 1):
        if [as_piece(cell) for cell in cells] != [as_piece(cell) for cell in done[number]]:
            task = todo[number]
            what = f"{task.variant.label} under {task.event.name}, {task.size}"
            raise WorkbenchError(f"{what}: the search does not end as the one that was kept; --fresh makes all again")
        done[number] = cells
        if progress is not None:
            progress(count, len(again), todo[number])


def _keys(todo: Sequence[Task], store: Store) -> list[Any]:
    """Return the key of each task; what many tasks share is described once."""
    if store.folder is None:
        return [None] * len(todo)
    known: dict[int, Any] = {}

    def once(thing: Any) -> Any:
        if id(thing) not in known:
            known[id(thing)] = described(thing)
        return known[id(thing)]

    return [
        [
            once(task.variant.kind), task.variant.mitigations, once(task.event), task.size.vcpus, task.size.reads,
            [once(feature) for feature in choose_features(task.size.features)], task.codes, task.max_states,
        ]
        for task in todo
    ]  # fmt: skip


def _worked(
    todo: Sequence[Task], batch: Batch, jobs: Jobs, efforts: Efforts | None
) -> Generator[tuple[int, list[Cell]], None, None]:
    """Yield the number and the cells of each task as soon as it is finished, those that were kept first."""
    for number in sorted(batch.kept):
        yield number, [of_piece(piece) for piece in batch.get(number)]
    left = [number for number in range(len(todo)) if number not in batch.kept]
    for number, cells in searched(todo, left, jobs, efforts):
        if batch.keeps and all(is_final(cell.note, todo[number].max_states) for cell in cells):
            batch.keep(number, [as_piece(cell) for cell in cells])
        yield number, cells


__all__ = ["MAX_STATES", "Cell", "Size", "Task", "cells_of", "matrix", "merged", "sizes_for", "sizes_of", "tasks",
           "work"]  # fmt: skip
