"""What a report found, in a few lines of 72 columns: four for a design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.checking.failures import FAILURES
from workbench.core.outcome import SEVERITY, Fate
from workbench.measure.exploration.cells import Cell
from workbench.present.text.report import DISCLAIMER, Parameters
from workbench.present.text.wrapped import wrapped

if TYPE_CHECKING:
    import pandas

#: Fates in which an area does harm.
BAD = SEVERITY[SEVERITY.index(Fate.SILENT) :]


def what_was_found(table: pandas.DataFrame, failing: Callable[[str], Sequence[Cell]], parameters: Parameters) -> str:
    """Return the summary. ``failing``: the cells that fail, by a variant's label, the shortest trace first."""
    value = {(row.protocol, row.event, row.metric): row.value for row in table.itertuples()}
    first = parameters.events[0].name
    vcpus = f"{parameters.vcpus} vCPU{'s' if parameters.vcpus > 1 else ''}"
    counted = f"{vcpus}, {len(parameters.features)} features, {len(parameters.events)} events"
    lines = [f"{counted}; {DISCLAIMER}."]
    for variant in parameters.variants:
        label = variant.label
        told = [f"{value[label, first, name]} {unit}" for name, unit in _COUNTS if (label, first, name) in value]
        lines.append(f"{label}: {first} takes {', '.join(told)}.")
        ends = {event.name: value.get((label, event.name, "fate")) for event in parameters.events}
        events = {fate.value: [event for event, end in ends.items() if end == fate.value] for fate in reversed(BAD)}
        lines.append(f"  Areas end {_of_events(events) or 'well in every event'}.")
        lines.append(f"  Searches find {_failures(failing(label))}.")
    return "".join(f"{line}\n" for text in lines for line in wrapped(text))


_COUNTS = (("exits", "exits"), ("state_bytes", "bytes of state"), ("state_carried_bytes", "carried"))


def _of_events(found: Mapping[str, Sequence[str]]) -> str:
    """Return how many events end with each fate, and the one with the shortest name, which is the plainest."""
    told = []
    for fate, names in found.items():
        if len(names) == 1:
            told.append(f"{fate} in {names[0]}")
        elif names:
            told.append(f"{fate} in {len(names)} events ({min(names, key=len)}, ...)")
    return ", ".join(told)


def _failures(cells: Sequence[Cell]) -> str:
    if not cells:
        return "no failure"
    least, more = cells[0], len(cells) - 1
    told = f"{FAILURES[least.property].failing} ({least.event}, {least.steps or '-'} steps)"
    return f"{told} and {more} more" if more else told


__all__ = ["what_was_found"]
