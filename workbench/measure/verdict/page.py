"""The page: every column asked of every design, a reader's ranking, and what all rows together show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.checking.failures import FAILURES
from workbench.core.contracts.event import Event
from workbench.durable.store import Store
from workbench.errors import WorkbenchError, unknown
from workbench.measure.exploration.cells import Cell as Verdict
from workbench.measure.exploration.matrix import Reporter, matrix
from workbench.measure.exploration.mitigations import mitigated
from workbench.measure.exploration.tasks import Size
from workbench.measure.rows import Progress
from workbench.measure.variants import Variant, features_of
from workbench.measure.verdict.asked import NAMED_VCPUS, Asked, Cell
from workbench.measure.verdict.columns import COLUMNS

#: The events of a page if none is named: one of each kind, those under which designs were seen to differ. All of them
#: take several times as long.
EVENTS = (
    "boot", "old-host", "cpu-hotplug", "cpu-unplug", "init", "suspend-resume", "kexec", "kexec-no-teardown", "crash",
    "migrate", "migrate-damaged", "memslot-unplug", "descriptor-race", "double-registration-moved", "overlap",
    "hostile-bad-base", "hostile-page-crossing", "encrypted", "read-back",
)  # fmt: skip


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
    features: Sequence[str] | None = None,
    events: Sequence[str | Event] = EVENTS,
    *,
    options: tuple[str, ...] = (),
    event_options: tuple[str, ...] = (),
    repairs: bool = True,
    jobs: int = 1,
    progress: Reporter | None = None,
    asking: Progress | None = None,
    state: Store | Path | str | None = None,
) -> Page:
    """Return the page for designs, each with the name by which a command line calls it.

    ``features``: None means those of each design's own ABI; ``options`` and
    ``event_options`` are the pieces of a command line that say the same. ``repairs``: every design is explored with all
    its mitigations too. ``asking(done, total)`` is called after each design, ``progress`` after each search. Raises
    WorkbenchError for unknown names, and KeyboardInterrupt if the user stops it.
    """
    bare = list(named.values())
    added = {one.kind.name: one for one in mitigated(bare, ["all"])} if repairs and _have_any(bare) else {}
    sizes = None if features is None else [Size(NAMED_VCPUS, tuple(features))]
    searched = _searched([*bare, *added.values()], events, sizes=sizes, jobs=jobs, progress=progress, state=state)
    asked, cells = {}, {}
    for number, (text, one) in enumerate(named.items(), 1):
        other = added.get(one.kind.name)
        asked[one.label] = row = Asked(
            one, features_of(one, features), text, options, searched[one.label],
            searched[other.label] if other else None, event_options,
        )  # fmt: skip
        cells[one.label] = {name: column.ask(row) for name, column in COLUMNS.items()}
        if asking is not None:
            asking(number, len(named))
    return Page(asked, cells)


def _have_any(variants: Sequence[Variant]) -> bool:
    return any(one.kind.mitigations_known for one in variants)


def _searched(variants: Sequence[Variant], events: Any, **how: Any) -> dict[str, tuple[Verdict, ...]]:
    found: dict[str, list[Verdict]] = {one.label: [] for one in variants}
    for cell in matrix(variants, events, tuple(FAILURES.values()), traces=False, **how):
        found[str(cell.label())].append(cell)
    return {label: tuple(cells) for label, cells in found.items()}


# -- the reader's ranking ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ranked:
    """A design's place: the weighted mean of its places by each criterion, 1 being the best."""

    label: str
    score: float
    places: Mapping[str, float | None]  #: by criterion: the mean over its columns; None: not comparable


def criteria() -> tuple[str, ...]:
    """Return the words by which a reader weighs."""
    return tuple(dict.fromkeys(column.criterion for column in COLUMNS.values()))


def weights(text: str) -> dict[str, float]:
    """Return {criterion: weight} of ``migration=3,exits=1``; raise WorkbenchError for anything else."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.partition("=")
        if name.strip() not in criteria():
            raise unknown("criterion", name.strip(), criteria())
        try:
            weight = float(number) if equals else 1.0
        except ValueError:
            weight = -1.0
        if not 0 < weight < 1e6:
            raise WorkbenchError(f"the weight of {name.strip()} is {number!r}; a number above 0 is expected: {name}=3")
        if name.strip() in found:
            raise WorkbenchError(f"{name.strip()} is weighed twice")
        found[name.strip()] = weight
    return found


def ranking(shown: Page, weighed: Mapping[str, float]) -> list[Ranked]:
    """Return the designs in the order of their weighted mean place, the best first; equal ones in the page's order."""
    places = {name: _places(shown, name) for name in weighed}
    found = []
    for label in shown.cells:
        own = {name: places[name][label] for name in weighed}
        known = {name: place for name, place in own.items() if place is not None}
        total = sum(weighed[name] for name in known)
        score = sum(weighed[name] * place for name, place in known.items()) / total if total else float("inf")
        found.append(Ranked(label, score, own))
    return sorted(found, key=lambda one: one.score)


def _places(shown: Page, criterion: str) -> dict[str, float | None]:
    """Return each design's mean place over the columns of a criterion; equal values share the mean of their places."""
    columns = [name for name, column in COLUMNS.items() if column.criterion == criterion]
    by_column = [_by_column(shown, name) for name in columns]
    found: dict[str, float | None] = {}
    for label in shown.cells:
        own = [places[label] for places in by_column if label in places]
        found[label] = sum(own) / len(own) if own else None
    return found


def _by_column(shown: Page, column: str) -> dict[str, float]:
    ranks = {label: cells[column].rank for label, cells in shown.cells.items() if cells[column].rank is not None}
    known = sorted(rank for rank in ranks.values() if rank is not None)
    return {
        label: known.index(rank) + (known.count(rank) + 1) / 2 for label, rank in ranks.items() if rank is not None
    }


__all__ = ["ALONE", "BEST", "BETWEEN", "WORST", "Page", "Ranked", "criteria", "page", "ranking", "weights"]
