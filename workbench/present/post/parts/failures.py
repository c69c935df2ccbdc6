"""What fails under which event: after how many steps at the earliest, and by which feature."""

from __future__ import annotations

from itertools import groupby
from textwrap import wrap

from workbench.checking.failures import FAILURES
from workbench.measure.exploration.cells import Cell
from workbench.present.post.asked import Asked
from workbench.present.post.section import Section
from workbench.present.text.matrix import meanings, summary
from workbench.present.text.table import WIDTH, Column, Table, as_text

TITLE = "What fails"


def section(asked: Asked, words: str) -> Section:
    """Return what fails of each design, and what each failure means."""
    failing = [cell for cell in asked.cells if cell.verdict == "FAILS"]
    count = {one.label: len({c.property for c in failing if str(c.label()) == one.label}) for one in asked.variants}
    codes = sorted({cell.property for cell in failing})
    return Section(
        TITLE,
        f"Of {len({cell.property for cell in asked.cells})} properties, in {len(asked.events)} events, "
        f"{', '.join(f'{number} fail in {label}' for label, number in count.items())}.",
        [_explored(asked), *map(_table, _by_design(failing)), *(f"{block}\n" for block in meanings(failing))],
        asked.matrix_commands(),
        sources=[f"{FAILURES[code].title}, seen for real: {FAILURES[code].seen}" for code in codes],
    )


def _explored(asked: Asked) -> str:
    sizes = " and ".join(map(str, asked.all_sizes())) or "a dozen sizes of one or two vCPUs"
    said = (
        f"Every interleaving was explored, with {sizes}. {summary(asked.cells)}. NOT EXERCISED: what the property is "
        "about came about in no state, so nothing was shown."
    )
    return "".join(f"{line}\n" for line in wrap(said, WIDTH))


def _by_design(failing: list[Cell]) -> list[list[Cell]]:
    return [list(chosen) for _, chosen in groupby(failing, key=Cell.label)]


def _table(cells: list[Cell]) -> str:
    rows = []
    for event, row in groupby(cells, key=lambda cell: cell.event):
        lines = [("", FAILURES[cell.property].failing, cell.steps or "-", _by(cell)) for cell in row]
        rows += [(event, *lines[0][1:]), *lines[1:]]
    columns = [Column("event"), Column("fails"), Column("steps"), Column("by")]
    return as_text(Table(str(cells[0].label()), columns, rows, labels=2))


def _by(cell: Cell) -> str:
    """What violates first, and how many others do."""
    named = list(dict.fromkeys(one.what for one in sorted(cell.violators, key=lambda one: one.steps) if one.what))
    return f"{named[0]}{f' and {len(named) - 1} more' if len(named) > 1 else ''}" if named else "-"
