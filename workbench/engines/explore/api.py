"""`explore`: chooses a search engine, runs it, and turns its outcome into verdicts and replayed traces.

Rule kept here: the engines differ in speed only. `auto` begins with the reference engine and changes to a
table engine when the model turns out to have more than a few thousand states. Table engines are imported when one
begins: NumPy takes longer to load than a small model to explore.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.durable.cores import cores
from workbench.engines.explore.export.promela import promela
from workbench.engines.explore.marks import Role
from workbench.engines.explore.model import Model, Property
from workbench.engines.explore.reference import PlainSearch
from workbench.engines.explore.result import FAILS, Culprit, Finding, Result, verdict_of
from workbench.engines.explore.search import HANDED_OVER, Hits, Limits, Progress
from workbench.engines.explore.space import Space
from workbench.engines.explore.trace import Trace, trace_along
from workbench.errors import EngineError, WorkbenchError

if TYPE_CHECKING:
    from workbench.engines.explore.numpy_search.engine import VectorSearch
    from workbench.engines.explore.symmetry import SymmetryReduction
    from workbench.engines.explore.tables.packed_search import PackedSearch

    Search = PlainSearch | PackedSearch

PILOT = 2000  # states; for fewer, tables cost more than they save
KNOWN = 1000  # states after which most reads are known, so that tables are seldom laid out anew
WORTH_NUMBA = 40_000  # states from which on loading numba, half a second, about pays
TABLES = ("auto", "python", "numpy", "numba", "disk")


def explore(
    model: Model,
    *,
    max_states: int | None = None,
    max_bytes: int | None = None,
    tables: str = "auto",
    symmetry: bool = False,
    stop_at_first: bool = False,
    progress: Callable[[Progress], None] | None = None,
    disk: Path | None = None,
    jobs: int | None = None,
) -> Result:
    """Visit every reachable state of a model, breadth first.

    `max_states` and `max_bytes` (of what the engine stores) stop the search with verdict BOUNDED, and so
    does Ctrl-C. `symmetry` merges states that differ by exchanging the model's interchangeable slots, and raises
    SymmetryError if it finds that the model is not symmetric as declared.
    `stop_at_first` ends after the level in which an `always` property was first violated. `disk` is a directory
    for files without a name, in which the states are kept in place of memory (`max_bytes` counts them). `jobs` threads
    share the work, by default one for each core; numba alone has threads, and they change nothing but the time. Raises
    WorkbenchError for a model that is not deterministic, never ends, or names what does not exist.
    """
    if tables not in TABLES:
        raise WorkbenchError(f"tables: {tables!r} is not one of {', '.join(TABLES)}")
    limits = Limits(max_states, max_bytes, stop_at_first, progress, cores() if jobs is None else jobs)
    space = Space(model)
    reduction = _symmetry(space) if symmetry else None
    search = _search(space, limits, tables, reduction, disk)
    outcome = search.outcome
    if reduction is not None:
        outcome.stands_for = reduction.stands_for(search)
        reduction.hold_against(search)
        outcome.seconds = limits.seconds()
    return _result(space, search, reduction)


def explore_and_export(model: Model, *, max_states: int | None = None) -> tuple[Result, str]:
    """Explore a model completely; return the result and the model as Promela text.

    Raises WorkbenchError if `max_states` does not suffice: only a completely explored model is exported; and
    KeyboardInterrupt when the user stops it.
    """
    space = Space(model)
    search = _search(space, Limits(max_states, threads=cores()), "auto", None)
    outcome = search.outcome
    if outcome.limit == "interrupted":
        raise KeyboardInterrupt
    return _result(space, search, None), promela(space, outcome.limit)


def to_promela(model: Model, *, max_states: int | None = None) -> str:
    """The model as Promela text, see `workbench.engines.explore.export.promela`."""
    return explore_and_export(model, max_states=max_states)[1]


def _search(
    space: Space, limits: Limits, tables: str, reduction: SymmetryReduction | None, disk: Path | None = None
) -> Search:
    """Begin with the reference engine; continue with tables if it reaches its limit and `tables` allows them.

    Returns the last search that was run; it holds the outcome.
    """
    if tables == "python":
        return _done(PlainSearch(space, limits, reduction))
    # The reference engine renames each state in every way, which takes as long as visiting that many states.
    most = PILOT if tables == "auto" else min(PILOT, KNOWN)
    enough = most if reduction is None else max(most // reduction.ways, 100)
    pilot_limits = Limits(enough, limits.max_bytes, limits.stop_at_first, started=limits.started)
    if limits.max_states is not None:
        pilot_limits.max_states = min(enough, limits.max_states)
    pilot = _done(PlainSearch(space, pilot_limits, reduction))
    handed_over = pilot.outcome.limit == f"limit of {enough} states" and limits.max_states != enough
    if not handed_over and (tables == "auto" or pilot.outcome.limit == "interrupted"):
        return pilot
    if tables == "disk" or (tables == "auto" and disk is not None):
        from workbench.engines.explore.disk_search.engine import DiskSearch

        return _done(DiskSearch(space, limits, reduction, disk or Path(tempfile.gettempdir())))
    from workbench.engines.explore.numpy_search.engine import VectorSearch

    if tables == "numpy" or (tables == "auto" and find_spec("numba") is None):
        return _done(VectorSearch(space, limits, reduction))
    if tables == "auto":  # also if numba is loaded: which of equally short traces is shown depends on the engine
        begun = VectorSearch(space, limits, reduction)
        begun.hand_over_at = WORTH_NUMBA
        outcome = begun.run()
        return _compiled(space, limits, reduction, begun) if outcome.limit == HANDED_OVER else begun
    return _compiled(space, limits, reduction)


def _symmetry(space: Space) -> SymmetryReduction:
    from workbench.engines.explore.symmetry import SymmetryReduction

    return SymmetryReduction(space)


def _done(search: Search) -> Search:
    search.run()
    return search


def _compiled(
    space: Space, limits: Limits, reduction: SymmetryReduction | None, begun: VectorSearch | None = None
) -> Search:
    """Search with the compiled loops."""
    if find_spec("numba") is None:
        raise EngineError("tables: numba is not installed; pip install numba, or use numpy")
    from workbench.engines.explore.numba_search.engine import CompiledSearch

    return _done(CompiledSearch(space, limits, reduction, begun))


def _result(space: Space, search: Search, reduction: SymmetryReduction | None) -> Result:
    outcome = search.outcome

    def trace(hits: Hits) -> Trace | None:
        if hits.state is None:
            return None
        path = search.path(hits.depth, hits.state)
        return trace_along(space, path if reduction is None else reduction.unmerged(path))

    properties, marks = space.model.properties, space.marks
    by_code = {prop.code: outcome.hits[number] for number, prop in enumerate(properties)}
    premises = {
        prop.code: outcome.hits[marks.number(prop.code, Role.PREMISE)].count
        for prop in properties
        if prop.premise is not None
    }
    verdicts = {
        prop.code: verdict_of(prop.kind, by_code[prop.code].count, premises.get(prop.code), outcome.limit)
        for prop in properties
    }

    def finding(prop: Property) -> Finding:
        hits, named = by_code[prop.code], {name: outcome.hits[mark] for name, mark in marks.culprits(prop.code)}
        culprits = {name: Culprit(found.count, found.depth) for name, found in named.items() if found.count}
        return Finding(prop.code, prop.name, hits.count, trace(hits), culprits)

    executed = sum(action.executed for action in space.actions + space.observers + space.parts)
    return Result(
        verdicts=verdicts,
        findings=[finding(prop) for prop in properties if verdicts[prop.code] == FAILS],
        states=outcome.states,
        transitions=outcome.transitions,
        depth=outcome.depth,
        seconds=outcome.seconds,
        stored=outcome.stored,
        deadlocks=outcome.deadlocks.count,
        deadlock=trace(outcome.deadlocks),
        limit=outcome.limit,
        engine=outcome.engine,
        hits={code: hits.count for code, hits in by_code.items()},
        premises=premises,
        executed=executed,
        witness=lambda code: trace(by_code[code]),
        stands_for=outcome.stands_for,
    )
