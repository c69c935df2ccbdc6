"""How often payloads are updated in a run, and what such a number says about a real host: a table, and a note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.measure.comparison.metrics import COST, METRICS
from workbench.measure.comparison.updates import UpdateRow, by_kind, update_rows
from workbench.measure.variants import Variant
from workbench.present.text.table import Cell, Column, Table

#: On which occasions a run updates a payload, by ``Feature.update_when``.
OCCASIONS = {
    "entry": "at each entry",
    "request": "on request",
    "registration": "once registered",
    "event": "on its event",
}
_COUNTED = (
    "Counted in the simulated run: updates of which a byte arrived. The run enters a vCPU where the event says so, and "
    "not after each exit; so no rate follows from these numbers. for a real host: what the number is, compared with "
    "that of the host that serves the payload in reality, for as many entries, requests and events (read in its "
    "source, not measured)."
)


def note(metrics: Iterable[str], features: Iterable[Feature], *, priced: bool = False) -> str | None:
    """Return the note below a table of ``metrics`` that says which numbers depend on updates, and what they are then.

    ``priced``: accesses have a price, so that costs depend on them too. None if no number does, or if no host updates a
    payload of ``features``.
    """
    by_updates = {name for name, metric in METRICS.items() if metric.by_updates} | ({COST} if priced else set())
    names = [name for name in metrics if name in by_updates]
    kinds = by_kind(features)
    if not names or not kinds:
        return None
    told = "; ".join(f"{kind} for {', '.join(found)}" for kind, found in kinds.items())
    return (
        f"{', '.join(names)}: counted in this run, and dependent on its payload updates. Compared with a real "
        f"host's, the number of updates is: {told}."
    )


def table(
    carried: Sequence[tuple[Variant, tuple[Feature, ...]]], vcpus: int, event: Event, seed: int = 0
) -> Table:
    """Return the table of the updates of each payload in ``event``, one column for each design with its features."""
    found = {one.label: update_rows(one, features, vcpus, event, seed) for one, features in carried}
    first: dict[str, UpdateRow] = {}
    for rows in found.values():
        for row in rows:
            first.setdefault(row.feature, row)
    numbers = {(label, row.feature): row.updates for label, rows in found.items() for row in rows}
    cells: list[list[Cell]] = [
        [name, OCCASIONS[row.update_when], row.count_is, *(numbers.get((label, name), "-") for label in found)]
        for name, row in first.items()
    ]
    columns = [Column("feature"), Column("updated"), Column("for a real host"), *(Column("", one) for one in found)]
    seen = {name for (_, name), number in numbers.items() if number}
    notes = [_COUNTED, *(_reason(row) for name, row in first.items() if name in seen and row.why)]
    return Table(f"Payload updates in {event.name}", columns, cells, labels=3, notes=notes)


def _reason(row: UpdateRow) -> str:
    return f"{row.feature}: {row.count_is}. {row.why[:1].upper()}{row.why[1:]}. ({row.source})"
