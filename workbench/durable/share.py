"""Work shared out: by processes of this machine (``pool``) or by workers of a Dask cluster (``cluster``).

Who has work asks for one of the two by ``jobs``, a number of processes or a :class:`Crew`, and need not know which.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from workbench.durable.efforts import Efforts
from workbench.durable.pool import Begin, Pool, script_of


class Workers(Protocol):
    """What shares work; see ``pool.Pool`` for what each does."""

    hello: list[Any]

    @property
    def in_flight(self) -> int: ...
    @property
    def idle(self) -> bool: ...
    def give(self, piece: Any) -> None: ...
    def finished(self, patience: float | None = None) -> list[Any]: ...


class Crew(Protocol):
    """Workers that are there already; ``sharing``: how many of them share the memory of one machine."""

    sharing: int

    def pool(
        self, begin: Begin, arguments: Sequence[Any], *, needs: str | None = None
    ) -> AbstractContextManager[Workers]: ...


Jobs = int | Crew


def pool_of(
    jobs: Jobs, begin: Begin, arguments: Sequence[Any] = (), script: str | None = None, *, needs: str | None = None
) -> AbstractContextManager[Workers]:
    """Return workers. ``needs``: what a machine must have for this work, the name of a resource of Dask's."""
    if isinstance(jobs, int):
        return Pool(jobs, begin, arguments, script)
    return jobs.pool(begin, arguments, needs=needs)


def sharing(jobs: Jobs, pieces: int) -> int:
    """Return how many workers share the memory of one machine."""
    return min(jobs, pieces) if isinstance(jobs, int) else jobs.sharing


def shared(
    pieces: Mapping[int, Any], begin: Begin, arguments: Sequence[Any], jobs: Jobs, efforts: Efforts | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield the number and the answer of each piece as soon as it is finished.

    What ``begin`` yields is given (number, piece) and answers (number, answer). ``efforts`` chooses the order, and
    learns what each piece took. Raises NotSharedError before any work begins if no other process can find a class that
    the pieces need.
    """
    script = script_of([list(pieces.values()), arguments])
    jobs = min(jobs, len(pieces)) if isinstance(jobs, int) else jobs
    if efforts is None:
        with pool_of(jobs, begin, arguments, script) as workers:
            yield from answers(workers, pieces.items())
        return
    following = ((number, pieces[number]) for number in efforts.longest_first(pieces.keys()))
    with pool_of(jobs, _timed, [begin, arguments], script) as workers:
        for seconds, (number, answer) in answers(workers, following):
            efforts.finished(number, seconds)
            yield number, answer


@contextmanager
def _timed(begin: Begin, arguments: Sequence[Any]) -> Iterator[tuple[Any, Callable[[Any], tuple[float, Any]]]]:
    """Begin in a worker as ``begin`` does; answer each piece with the seconds that it took, and its answer."""
    with begin(*arguments) as (hello, work):

        def timed(piece: Any) -> tuple[float, Any]:
            began = time.monotonic()
            answer = work(piece)
            return time.monotonic() - began, answer

        yield hello, timed


@contextmanager
def numbered(begin: Begin, arguments: Sequence[Any]) -> Iterator[tuple[Any, Callable[[tuple[int, Any]], Any]]]:
    """Begin in a worker what is given pieces without their numbers, for :func:`shared`."""
    with begin(*arguments) as (hello, work):
        yield hello, lambda piece: (piece[0], work(piece[1]))


def answers(workers: Workers, pieces: Iterable[Any]) -> Iterator[Any]:
    """Give each piece to a worker as soon as one is idle; yield each answer as soon as it is there."""
    waiting = iter(pieces)
    while True:
        while workers.idle and (piece := next(waiting, None)) is not None:
            workers.give(piece)
        if not workers.in_flight:
            return
        yield from workers.finished()
