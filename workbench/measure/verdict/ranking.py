"""A reader's ranking of the designs of a page, by weights of the reader's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.errors import WorkbenchError, unknown
from workbench.measure.verdict.columns import COLUMNS
from workbench.measure.verdict.page import Page


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
