"""What a report found, in about ten lines of 72 columns, and where to look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from workbench.checking.failures import FAILURES
from workbench.core.outcome import SEVERITY, Fate
from workbench.measure.exploration.cells import Cell
from workbench.present.text.report import DISCLAIMER, Parameters
from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only

if TYPE_CHECKING:
    import pandas

#: Fates in which an area does harm.
BAD = SEVERITY[SEVERITY.index(Fate.SILENT) :]
#: The failures that a line names; others are counted.
MOST = 2


def what_was_found(
    table: pandas.DataFrame, failing: Callable[[str], Sequence[Cell]], parameters: Parameters, where: Sequence[str]
) -> str:
    """Return the summary. ``failing``: the cells that fail, by a variant's label; ``where``: lines for the end."""
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
        fates = (_of_events(fate, [e for e, end in ends.items() if end == fate.value]) for fate in reversed(BAD))
        lines.append(f"  Areas end {', '.join(filter(None, fates)) or 'well in every event'}.")
        lines.append(f"  Every interleaving of a few events: {_failures(failing(label))}.")
    return "".join(f"{line}\n" for line in (*(line for text in lines for line in _wrapped(text)), *where))


_COUNTS = (
    ("exits", "exits"),
    ("user_exits", "of them to the VMM"),
    ("state_bytes", "bytes of state"),
    ("state_carried_bytes", "of them carried by a migration"),
)


def _of_events(fate: Fate, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"{fate.value} in {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _failures(cells: Sequence[Cell]) -> str:
    if not cells:
        return "nothing fails"
    told = [f"{FAILURES[one.property].failing} ({one.event}, {one.steps or '-'} steps)" for one in cells[:MOST]]
    more = f" and {len(cells) - MOST} more" if len(cells) > MOST else ""
    return f"{', '.join(told)}{more}"


def _wrapped(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    more = indent + "  "
    return wrap(ascii_only(text.strip()), WIDTH, initial_indent=indent, subsequent_indent=more, break_on_hyphens=False)


__all__ = ["what_was_found"]
