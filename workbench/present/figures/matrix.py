"""The failure matrix as a heat map: a panel for each protocol, events by properties, each verdict with its own mark.

Fills are those of ``style``: the more harmful the verdict, the darker. The verdicts can be told apart without colour:
a failing cell holds the number of steps of its shortest trace, a cell that is not exercised has dots, not a fill.
Properties are named, from bottom to top; their codes are for files and options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from textwrap import fill
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.checking.failures import FAILURES
from workbench.core.outcome import Fate
from workbench.engines.explore import BOUNDED, BROKE_OFF, FAILS, HOLDS, NOT_EXERCISED
from workbench.errors import WorkbenchError
from workbench.measure.exploration.cells import INTERRUPTED, Cell, counted, is_unfinished
from workbench.measure.label import Label
from workbench.present.figures.style import FATE_COLOUR

SOURCE = "every interleaving of a model, at small sizes; not measured on hardware"
LEGEND = (
    "light: holds in every state; dark: fails, in how many steps (-: what must be possible never happens); "
    "striped, X: broke off, a program failed; "
    "striped, ?: a limit stopped the search; dotted: not exercised, nothing that the property is about came about"
)
LETTERS_PER_INCH = 17  # of the note below the panels
# In inches: a cell, the names of the events, the heading of a panel (with the properties' names), a line of the note.
CELL, NAMES, HEAD, LINE = 0.27, 2.5, 1.9, 0.13


class Mark(NamedTuple):
    """How a verdict looks in a cell."""

    fill: str
    hatch: str = ""
    ink: str = "black"
    text: str = ""


_MARKS = {
    HOLDS: Mark(FATE_COLOUR[Fate.REGISTERED.value]),
    FAILS: Mark(FATE_COLOUR[Fate.STALE.value], ink="white", text="-"),
    BOUNDED: Mark(FATE_COLOUR[Fate.REFUSED.value], "////", text="?"),
    BROKE_OFF: Mark(FATE_COLOUR[Fate.REFUSED.value], "\\\\\\\\", text="X"),
    NOT_EXERCISED: Mark("#ffffff", ".."),
}
_NOT_EXPLORED = Mark("#ffffff")


def failures(table: Sequence[Cell]) -> Figure:
    """Return a panel for each protocol (each with its mitigations); rows are events, columns properties.

    Raises WorkbenchError if the matrix has no cells.
    """
    if not table:
        raise WorkbenchError("a failure matrix without cells has no picture; explore at least one event")
    panels = {label: list(cells) for label, cells in groupby(table, Cell.label)}
    events = list(dict.fromkeys(cell.event for cell in table))
    codes = list(dict.fromkeys(cell.property for cell in table))
    width = NAMES + CELL * len(codes)
    note = fill(f"{SOURCE}; {LEGEND}", int(width * LETTERS_PER_INCH))
    height = (HEAD + CELL * len(events)) * len(panels) + LINE * (note.count("\n") + 3)
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    figure.supxlabel(note, fontsize=7, color="#444444", x=0.01, ha="left")
    every_axes = figure.subplots(len(panels), squeeze=False).flat
    for axes, (label, cells) in zip(every_axes, panels.items(), strict=True):
        _panel(axes, {(cell.event, cell.property): cell for cell in cells}, events, codes)
        axes.set_title(f"{_title(label)}: {told(cells)}", fontsize=11, loc="left")
    return figure


def told(cells: Sequence[Cell]) -> str:
    """Return how many cells have each verdict: "3 fails, 9 holds"; and that the matrix was interrupted, if it was."""
    found = [f"{number} {verdict.lower()}" for verdict, number in counted(cells).items()]
    return ", ".join(found + [INTERRUPTED] * any(map(is_unfinished, cells)))


def mark(cell: Cell | None) -> Mark:
    """Return how a cell looks; None is a cell that was not explored."""
    if cell is None:
        return _NOT_EXPLORED
    found = _MARKS[cell.verdict]
    return found._replace(text=str(cell.steps)) if cell.verdict == FAILS and cell.steps else found


def _title(label: Label) -> str:
    """Return the title of a panel; several mitigations are given by their number, because their names would not fit."""
    count = len(label.mitigations)
    return f"{label.name} + {count} mitigations" if count > 1 else str(label)


def _panel(
    axes: Axes, cells: Mapping[tuple[str, str], Cell], events: Sequence[str], codes: Sequence[str]
) -> None:
    for y, event in enumerate(events):
        looks = [mark(cells.get((event, code))) for code in codes]
        for look in dict.fromkeys(one._replace(text="") for one in looks):
            alike = [(x, 1) for x, one in enumerate(looks) if one._replace(text="") == look]
            # The edge's colour is also the hatch's: a dark one would make the text unreadable.
            axes.broken_barh(alike, (y, 1), facecolor=look.fill, hatch=look.hatch, edgecolor="#999999")
        for x, look in enumerate(looks):
            if look.text:
                axes.text(x + 0.5, y + 0.5, look.text, ha="center", va="center", color=look.ink, fontsize=8)
    axes.set_xlim(0, len(codes))
    axes.set_ylim(len(events), 0)
    names = [FAILURES[code].title for code in codes]
    axes.set_xticks([x + 0.5 for x in range(len(codes))], names, fontsize=8, rotation=90)
    axes.set_yticks([y + 0.5 for y in range(len(events))], events, fontsize=8)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_ylabel("event (name)", fontsize=8)
