"""Pairs of events as text: those that end otherwise than the worse of their two parts, and those chosen to explore."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from workbench.core.contracts.event import Event
from workbench.core.outcome import SEVERITY, Fate, worst
from workbench.lifecycle import Composed
from workbench.measure.rows import Row
from workbench.measure.variants import Variant
from workbench.present.text.table import WIDTH, Cell, Column, Table

if TYPE_CHECKING:
    from workbench.measure.exploration.pairs import Chosen

#: With more joined events than this, a table shows only those that are worth a line.
MANY = 40
NO_WORSE = "no worse"


def joined(events: Sequence[Event]) -> list[Composed]:
    """Return the joined events if there are many of them, else none."""
    found = [event for event in events if isinstance(event, Composed)]
    return found if len(found) > MANY else []


def pairs_table(
    table: Iterable[Row],
    variants: Sequence[Variant],
    events: Sequence[Composed],
    alone: Callable[[Variant, Event], Fate],
) -> Table:
    """Return the joined events that end worse than each of their parts, by protocol; ``alone``: how one event ends."""
    found = {(row.event, row.protocol): Fate(row.value) for row in table if row.metric == "fate"}
    rows: list[list[Cell]] = []
    for event in events:
        cells: list[Cell] = []
        for one in variants:
            fate = found[event.name, one.label]
            is_worse = SEVERITY.index(fate) > SEVERITY.index(worst([alone(one, part) for part in event.parts]))
            cells.append(fate.value if is_worse else NO_WORSE)
        if set(cells) != {NO_WORSE}:
            rows.append([event.parts[0].name, "+".join(part.name for part in event.parts[1:]), *cells])
    columns = [Column("first"), Column("then"), *(Column(one.label) for one in variants)]
    notes = [
        f"The worst fate of any area, in {len(rows)} of {len(events)} joined events: those that end worse than each of "
        f"their parts alone under some protocol. {NO_WORSE}: a part alone ends so, or worse. All runs, with all their "
        "numbers, are in --format csv."
    ]
    return Table("Events that are worse together", columns, rows, labels=2, notes=notes)


def chosen_text(protocol: str, chosen: Sequence[Chosen]) -> str:
    """Return which pairs were explored for one protocol, and why."""
    from workbench.measure.exploration.pairs import VCPUS

    head = (
        f"{protocol}: of the pairs, simulated with {VCPUS} vCPUs, {len(chosen)} were explored, one for each way in "
        "which a pair ends as neither of its events does alone."
    )
    lines = wrap(head, WIDTH)
    for one in chosen:
        others = "" if one.alike == 1 else f"; {one.alike} pairs end so"
        lines += wrap(f"  {one.event.name} ({one.size}{others})", WIDTH, subsequent_indent="    ")
        lines += [line for why in one.why for line in wrap(f"    {why}", WIDTH, subsequent_indent="      ")]
    return "\n".join(lines) + "\n"
