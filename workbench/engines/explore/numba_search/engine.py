"""The numba engine: the tables of the NumPy engine, with compiled loops that threads run, and a set that they share.

Rules kept here: how many threads there are changes speed only. What depends on their timing is the order of the states
in a level; so the state shown for a mark is the least of its level, a trace goes by the least predecessor, and tables
are filled in the order of their entries with what all states of a level lack, between two runs of the threads. A level
that has begun is finished, unless memory is lacking. The levels hold every state once; the set is only an index of
them, so it can be discarded and rebuilt.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial

import numpy as np

from workbench.engines.explore.numba_search import loops, memory
from workbench.engines.explore.numba_search.arguments import for_work
from workbench.engines.explore.numba_search.crew import Crew, most_threads
from workbench.engines.explore.numba_search.filling import learn
from workbench.engines.explore.numba_search.loops import CLASH, FROM, TO
from workbench.engines.explore.numba_search.state_set import NEXT, OUT, STOP
from workbench.engines.explore.numba_search.visited import Visited
from workbench.engines.explore.numba_search.worker import Worker
from workbench.engines.explore.reduction import Reduction
from workbench.engines.explore.search import Limits, SearchOutcome, State
from workbench.engines.explore.space import Space
from workbench.engines.explore.tables.bit_layout import Layout, Words
from workbench.engines.explore.tables.local_tables import Outgrown
from workbench.engines.explore.tables.packed_search import PackedSearch

FEW = 1 << 12  # up to so many states are not shared out
ALL = np.empty(0, np.int64)  # in place of the places of some states: all of them
NONE = np.empty(0, np.int64)


class CompiledSearch(PackedSearch):
    """Breadth-first search with compiled loops in up to ``limits.threads`` threads."""

    engine = "numba"

    def __init__(
        self, space: Space, limits: Limits, reduction: Reduction | None, begun: PackedSearch | None = None
    ) -> None:
        super().__init__(space, limits, reduction, begun)
        self.threads = most_threads(limits.threads)
        self.shared = np.zeros(32, np.int64)
        self.rows: list[np.ndarray] = []  # the levels as rows of words
        self.before = 0  # states in them
        self._blocks: list[np.ndarray] = []
        self.arena, self.visited = memory.Arena(self.layout.words, self._blocks), Visited(self.layout.words)
        self._ordered: set[int] = set()
        weakref.finalize(self, memory.keep, self._blocks)

    def run(self) -> SearchOutcome:
        """Search until nothing new appears, a limit is met or the user interrupts."""
        with Crew(self.threads, self.shared, self._tick) as self.crew:
            outcome = super().run()
        del self.crew  # it refers to this search, which could then be freed by the garbage collector alone
        self.visited.give_back()
        return outcome

    def _tick(self) -> None:
        self.limits.report(self.seen(), len(self.rows[-1]), self.outcome.depth)

    def begin(self) -> None:
        """Move the levels so far into this search's own memory, and build the visited set."""
        self._take(self.levels)

    def _take(self, levels: Iterable[Words]) -> None:
        words, levels = self.layout.words, list(levels)
        self.span = (0,) * words
        self.workers = [Worker(words) for _ in range(self.threads)]
        self.levels, self.rows, self.before = [], [], 0
        memory.keep(self._blocks)
        self._blocks.clear()
        self.arena = memory.Arena(words, self._blocks)
        for level in levels:
            size = len(level[0])
            self.arena.have(0, size)
            self.arena.rows[self.arena.begun : self.arena.begun + size] = np.stack(level, axis=1)
            self.shared[OUT] = self.arena.begun + size
            self._next_level()
        self.visited.give_back()
        self.visited = Visited(words)
        self.visited.build(self.rows)

    def moved(self, older: Layout) -> None:
        """Repack the levels into the present layout; what this level has found is lost, and found again."""
        self._take([self.move(level, older) for level in self.levels])

    def _found(self) -> int:
        """How many states of the next level were found so far."""
        return int(self.shared[OUT]) - self.arena.begun

    def seen(self) -> int:
        """How many distinct states were found so far."""
        return self.before + self._found()

    def stored(self) -> int:
        """Bytes of levels, next level and visited set."""
        return self.layout.state_bytes * self.seen() + self.visited.nbytes

    def _next_level(self) -> None:
        level = self.arena.finished(self._found())
        self.before += len(level)
        self.rows.append(level)
        self.levels.append([level[:, word] for word in range(level.shape[1])])

    def level(self) -> None:
        """Expand the last level."""
        marks = self._expanded_all()
        if marks is None:
            return
        stuck = self.rows[-1][self._marked(marks, loops.STUCK)]
        self._count_level()
        self._next_level()
        self._grow(self._most())
        if len(stuck):
            self._collect_stuck([stuck[:, word] for word in range(stuck.shape[1])])
        self.stop_here(len(self.rows[-1]) > 0)

    def _expanded_all(self) -> np.ndarray | None:
        """Expand the last level, if need be again in a new layout; see :meth:`_expanded`."""
        while True:
            try:
                return self._expanded(self.rows[-1])
            except Outgrown:
                self.shared[OUT] = self.arena.begun
                self.relayout()

    def _expanded(self, level: np.ndarray) -> np.ndarray | None:
        """Expand all states of a level; return their marks, None if the search has to stop before the level is done."""
        for worker in self.workers:
            worker.begin_level()
        marks = np.zeros(len(level), np.uint8)
        some = ALL
        while True:
            todo = _ranges(len(some) if some is not ALL else len(level))
            while len(todo):
                if self._lacks_memory():
                    return None
                todo = self._run(level, some, todo, marks)
            some = self._marked(marks, loops.KEYED)
            if not len(some):
                return marks
            marks[some] = 0
            learn(self.tables, level[some], self.span)

    def _marked(self, marks: np.ndarray, mark: int) -> np.ndarray:
        """The places of the states with a mark, which the threads have counted; the count begins again."""
        counted = sum(int(worker.counters[mark]) for worker in self.workers)
        for worker in self.workers:
            worker.counters[mark] = 0
        return np.flatnonzero(marks == mark) if counted else NONE

    def _lacks_memory(self) -> bool:
        limit = self.limits.exceeded(0, self.stored())
        if limit is not None:
            self.outcome.limit = limit
        return limit is not None

    def _run(self, level: np.ndarray, some: np.ndarray, todo: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Let the threads expand ranges of a level, as far as there is room for what they find; return what is left."""
        most = self._most()
        self._grow(most)
        found, free = self._found(), self.visited.most - self.seen()
        self.arena.have(found, free)
        self.shared[OUT], self.shared[NEXT], self.shared[STOP] = self.arena.begun + found, 0, 0
        several = int((todo[:, 1] - todo[:, 0]).sum()) > FEW
        crew = self.workers[: max(1, min(len(todo), free // most)) if several else 1]
        limit = self.arena.begun + found + free - len(crew) * most
        for worker in crew:
            worker.fit(most, len(self.tables.roots), len(self.tables.observations))
            worker.counters[FROM] = worker.counters[TO] = 0
        tables = (*for_work(self.tables, self.outcome.hits), self._moves(), *self.visited.geometry(), self.arena.rows)
        work = [
            partial(loops.work, level, some, todo, marks, self.shared, limit, *tables, *worker.own(), self.span)
            for worker in crew
        ]
        if several:
            self.crew.run(work)
        else:
            work[0]()
        for worker in crew:
            if worker.counters[CLASH] >= 0:
                raise self.tables.clash(int(worker.counters[CLASH]))
        left = [worker.counters[[FROM, TO]] for worker in crew if worker.counters[TO]]
        return np.concatenate([todo[int(self.shared[NEXT]) :], np.array(left, np.int64).reshape(-1, 2)])

    def _most(self) -> int:
        """The largest number of successors that a block can have."""
        return max(1, loops.BLOCK * len(self.tables.roots) * int(self.tables.count.data.max(initial=0)))

    def _grow(self, most: int) -> None:
        """Let the visited set grow until a block has room."""
        while not self.visited.has_room(self.seen(), most):
            self.visited.grow(self.crew.run, self._everything)

    def _everything(self) -> list[np.ndarray]:
        return [*self.rows, self.arena.rows[self.arena.begun : int(self.shared[OUT])]]

    def _count_level(self) -> None:
        """Add what the threads have counted in this level to the outcome."""
        outcome = self.outcome
        met: dict[int, int] = {}
        least: dict[int, list[int]] = {}
        for worker in self.workers:
            outcome.transitions += int(worker.counters[loops.TRANSITIONS])
            for observation in np.flatnonzero(worker.met).tolist():
                state = worker.least[observation].tolist()
                for mark in self.tables.observations[observation]:
                    met[mark] = met.get(mark, 0) + int(worker.met[observation])
                    least[mark] = min(least.get(mark, state), state)
        for mark in sorted(met):
            found = outcome.hits[mark]
            found.add(met[mark], outcome.depth, found.state or self.layout.unpack(least[mark]))

    def _collect_stuck(self, stuck: Words) -> None:
        try:
            where = self.unfinished(stuck, np.arange(len(stuck[0])))
        except Outgrown:  # the successors are already inserted: repeat only this check in the new layout
            older = self.layout
            self.relayout()
            self._collect_stuck(self.move(stuck, older))
            return
        if len(where):
            self.add_hits(self.outcome.deadlocks, stuck, where)

    def path(self, depth: int, state: State) -> list[State]:
        """The states from the initial one to `state`, one per level: of each level the least that leads to the next."""
        for number in range(depth):
            if number not in self._ordered:
                self._ordered.add(number)
                level = self.levels[number]
                order = np.lexsort(level[::-1])
                self.levels[number] = [word[order] for word in level]
        return super().path(depth, state)

    def _moves(self) -> tuple[np.ndarray, ...]:
        if self.packed_reduction is None:
            empty = np.zeros(0, np.uint64)
            return (np.zeros(1, np.int64), *[empty] * 5, np.zeros(0, np.int64), empty)
        return self.packed_reduction.flat()


def _ranges(size: int) -> np.ndarray:
    """The ranges of states, (first, beyond the last), that threads take at once."""
    starts = np.arange(0, size, loops.ITEM)
    return np.stack([starts, np.minimum(starts + loops.ITEM, size)], axis=1)
