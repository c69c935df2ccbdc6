"""The page that decides as a table of marks: columns of the page by designs, the best of each light, the worst dark."""

from __future__ import annotations

from itertools import groupby

from matplotlib.figure import Figure

from workbench.errors import WorkbenchError
from workbench.measure.verdict.columns import COLUMNS
from workbench.measure.verdict.page import ALONE, Page
from workbench.measure.verdict.shown import sentences
from workbench.present.figures.grid import Box, Grid
from workbench.present.figures.sheet import SMALL, SOURCE, Sheet
from workbench.present.figures.sizes import DEFAULT
from workbench.present.figures.style import TONES, VERDICT_TONES


def verdict(page: Page, *, size: str = DEFAULT) -> Figure:
    """Return the columns of a page (rows) by its designs (columns); raise WorkbenchError if it has no design."""
    if not page.cells:
        raise WorkbenchError("a page without designs has no picture; name at least one")
    said = sentences(page)
    sheet = Sheet(size, said[0].rstrip(".") if said else "Designs by what runs say of them",
                  "V vCPUs; blue: none of these is better, red: none is worse")  # fmt: skip
    words = {cell.text for cells in page.cells.values() for cell in cells.values()}
    grid = Grid(sheet, COLUMNS, (9 * sheet.em, 1.5 * sheet.em), len(page.cells), words)
    grid.columns(list(page.cells))
    for criterion, own in groupby(COLUMNS.values(), key=lambda column: column.criterion):
        grid.group(criterion)
        for column in own:
            grid.row(column.name, [_box(page, label, column.name) for label in page.cells])
    sheet.y += 0.5 * sheet.em
    sheet.paragraph(" ".join(f"{name}: {column.title}." for name, column in COLUMNS.items()), SMALL)
    return sheet.done(SOURCE)


def _box(page: Page, label: str, column: str) -> Box:
    standing, text = page.standing(label, column), page.cells[label][column].text
    if standing == ALONE:
        return Box("#ffffff", text=text)
    tone = TONES[VERDICT_TONES[standing]]
    return Box(tone.fill, ink=tone.ink, text=text, edge="#ffffff")
