"""The page: every column asked of every design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.checking.failures import FAILURES
from workbench.durable.efforts import Efforts
from workbench.durable.share import Jobs
from workbench.durable.store import Store
from workbench.errors import unknown
from workbench.features import choose as choose_features
from workbench.lifecycle import choose
from workbench.measure.exploration.cells import Cell as Verdict
from workbench.measure.exploration.matrix import Reporter, matrix
from workbench.measure.exploration.mitigations import mitigated
from workbench.measure.exploration.tasks import MAX_STATES, Task
from workbench.measure.rows import Progress
from workbench.measure.variants import Variant
from workbench.measure.verdict.asked import Asked, Cell
from workbench.measure.verdict.columns import COLUMNS
from workbench.measure.verdict.scope import Scope

BEST, WORST, BETWEEN, ALONE = "best", "worst", "between", "alone"


@dataclass(frozen=True)
class Page:
    """What was asked, and the answers: by the label of a design and the name of a column."""

    asked: Mapping[str, Asked]
    cells: Mapping[str, Mapping[str, Cell]]

    def cell(self, design: str, column: str) -> Cell:
        """Return one answer. ``design``: a label, or what a command line calls the design.

        Raises WorkbenchError if there is no such row or column.
        """
        design = next((label for label, asked in self.asked.items() if asked.named == design), design)
        if design not in self.cells:
            raise unknown("design of this page", design, self.cells)
        if column not in COLUMNS:
            raise unknown("column", column, COLUMNS)
        return self.cells[design][column]

    def standing(self, label: str, column: str) -> str:
        """Return where a design stands in a column: BEST, WORST, BETWEEN, or ALONE if it cannot be compared."""
        own = self.cells[label][column].rank
        ranks = [rank for cells in self.cells.values() if (rank := cells[column].rank) is not None]
        if own is None or len(set(ranks)) < 2:
            return ALONE
        return BEST if own == min(ranks) else WORST if own == max(ranks) else BETWEEN


def page(
    named: Mapping[str, Variant],
    scope: Scope | None = None,
    *,
    jobs: Jobs = 1,
    progress: Reporter | None = None,
    asking: Progress | None = None,
    efforts: Efforts | None = None,
    state: Store | Path | str | None = None,
) -> Page:
    """Return the page for designs, each with the name by which a command line calls it.

    ``progress`` is called after each search, ``asking(done, total)`` after each design; ``efforts`` learns what one
    takes; ``state``: a directory in which finished searches are kept. Raises WorkbenchError for unknown names,
    KeyboardInterrupt if the user stops it.
    """
    scope, bare = scope or Scope(), list(named.values())
    added = {one.kind.name: one for one in mitigated(bare, ["all"])} if scope.repairs and _have_any(bare) else {}
    searched = _searched([*bare, *added.values()], scope, jobs=jobs, progress=progress, state=state, efforts=efforts)
    asked, cells = {}, {}
    for number, (text, one) in enumerate(named.items(), 1):
        other = added.get(one.kind.name)
        repaired = searched[other.label] if other else None
        asked[one.label] = row = Asked(one, text, scope, searched[one.label], repaired)
        cells[one.label] = {name: column.ask(row) for name, column in COLUMNS.items()}
        if asking is not None:
            asking(number, len(named))
    return Page(asked, cells)


def _have_any(variants: Sequence[Variant]) -> bool:
    return any(one.kind.mitigations_known for one in variants)


def _searched(variants: Sequence[Variant], scope: Scope, **how: Any) -> dict[str, tuple[Verdict, ...]]:
    found: dict[str, list[Verdict]] = {one.label: [] for one in variants}
    failures, events, more = tuple(FAILURES.values()), choose(scope.events), []
    for one in variants:
        size = scope.size(one)
        if size is not None:
            more += [
                Task(one, event, size, tuple(FAILURES), MAX_STATES)
                for event in events
                if event.min_vcpus <= size.vcpus and event.concerns(choose_features(size.features))
            ]
    for cell in matrix(variants, () if more else events, failures, more=more, traces=False, **how):
        found[str(cell.label())].append(cell)
    return {label: tuple(cells) for label, cells in found.items()}


__all__ = ["ALONE", "BEST", "BETWEEN", "WORST", "Page", "page"]
