"""The failure matrix as a figure: a panel for each protocol, events by properties, each verdict with its own mark.

Verdicts can be told apart without colour: a failing cell holds the number of steps of its shortest trace, a cell that
is not exercised has dots, not a fill. Properties are named, from bottom to top; their codes are for files and options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from matplotlib.figure import Figure

from workbench.checking.failures import FAILURES
from workbench.engines.explore import BOUNDED, BROKE_OFF, FAILS, HOLDS, NOT_EXERCISED
from workbench.errors import WorkbenchError
from workbench.measure.exploration.cells import INTERRUPTED, Cell, counted, is_unfinished
from workbench.measure.label import Label
from workbench.present.figures.grid import Box, Grid, by_group
from workbench.present.figures.sheet import Sheet
from workbench.present.figures.sizes import DEFAULT
from workbench.present.figures.style import TONES
from workbench.present.figures.words import compared, listed

SOURCE = "every interleaving of a model, at small sizes; not measured on hardware"
UNFINISHED = "#f2f2f2"

_MARKS = {
    HOLDS: Box(TONES["good"].fill),
    FAILS: Box(TONES["worst"].fill, ink=TONES["worst"].ink, text="-"),
    BOUNDED: Box(UNFINISHED, "////", text="?"),
    BROKE_OFF: Box(UNFINISHED, "\\\\\\\\", text="X"),
    NOT_EXERCISED: Box("#ffffff", "..", edge="#bbbbbb"),
}
_NOT_EXPLORED = Box("#ffffff", edge="#ffffff")
#: What each mark means.
_SAYS = {
    HOLDS: "holds in every state",
    FAILS: "fails, in how many steps (-: what must be possible never happens)",
    BOUNDED: "?: a limit stopped the search",
    BROKE_OFF: "X: a program failed",
    NOT_EXERCISED: "not exercised: what the property is about came about in no state",
}


def failures(table: Sequence[Cell], *, size: str = DEFAULT) -> Figure:
    """Return a panel for each protocol (each with its mitigations); rows are events, columns properties.

    Properties that no event exercises have no column; the note names them. Raises WorkbenchError for no cells.
    """
    if not table:
        raise WorkbenchError("a failure matrix without cells has no picture; explore at least one event")
    panels = {label: list(cells) for label, cells in groupby(table, Cell.label)}
    events = list(dict.fromkeys(cell.event for cell in table))
    codes = list(dict.fromkeys(cell.property for cell in table))
    asked = [code for code in codes if any(one.property == code and one.verdict != NOT_EXERCISED for one in table)]
    failing = {str(label): sum(cell.verdict == FAILS for cell in cells) for label, cells in panels.items()}
    sheet = Sheet(size, f"Failures found: {compared(failing)}", f"{len(events)} events by properties; {_sizes(table)}")
    sheet.key([(_SAYS[verdict], _key(verdict)) for verdict in _MARKS if any(one.verdict == verdict for one in table)])
    for label, cells in panels.items():
        sheet.paragraph(f"{_title(label)}: {told(cells)}", weight="bold")
        sheet.y += 0.3 * sheet.em
        _panel(sheet, {(cell.event, cell.property): cell for cell in cells}, events, asked or codes)
    unasked = [FAILURES[code].title for code in codes if code not in asked] if asked else []
    return sheet.done(f"{SOURCE}{'; not exercised by any of these events: ' if unasked else ''}{', '.join(unasked)}")


def told(cells: Sequence[Cell]) -> str:
    """Return how many cells have each verdict: "3 fails, 9 holds"; and that the matrix was interrupted, if it was."""
    found = [f"{number} {verdict.lower()}" for verdict, number in counted(cells).items()]
    return ", ".join(found + [INTERRUPTED] * any(map(is_unfinished, cells)))


def mark(cell: Cell | None) -> Box:
    """Return how a cell looks; None is a cell that was not explored."""
    if cell is None:
        return _NOT_EXPLORED
    found = _MARKS[cell.verdict]
    return found._replace(text=str(cell.steps)) if cell.verdict == FAILS and cell.steps else found


def _key(verdict: str) -> dict[str, str]:
    return {"colour": _MARKS[verdict].colour, "hatch": _MARKS[verdict].hatch, "edge": _MARKS[verdict].edge}


def _sizes(table: Sequence[Cell]) -> str:
    vcpus = sorted({cell.vcpus for cell in table})
    features = sorted({name for cell in table for name in cell.features.split(",")})
    return f"{listed(vcpus)} vCPU{'s' if vcpus[-1] > 1 else ''}; {', '.join(features)}"


def _title(label: Label) -> str:
    """Return the title of a panel; several mitigations are given by their number, because their names would not fit."""
    count = len(label.mitigations)
    return f"{label.name} + {count} mitigations" if count > 1 else str(label)


def _panel(sheet: Sheet, cells: Mapping[tuple[str, str], Cell], events: Sequence[str], codes: Sequence[str]) -> None:
    side = 1.9 * sheet.em
    words = {mark(cell).text for cell in cells.values()}
    grid = Grid(sheet, events, (side, side), len(codes), words)
    grid.columns([FAILURES[code].title for code in codes])
    for group, rows in groupby(by_group(events), lambda pair: pair[0]):
        grid.group(group)
        for _, event in rows:
            grid.row(event, [mark(cells.get((event, code))) for code in codes])
    sheet.y += sheet.em
