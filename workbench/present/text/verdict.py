"""The page that decides as text: what each column says, the table, the failures by name, what all rows show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.measure.verdict.columns import COLUMNS
from workbench.measure.verdict.page import Page
from workbench.measure.verdict.ranking import Ranked
from workbench.measure.verdict.shown import sentences
from workbench.present.text.command_line import command_lines
from workbench.present.text.table import Column, Table, as_text
from workbench.present.text.wrapped import wrapped


def verdict_text(page: Page, ranked: Sequence[Ranked] = (), weighed: Mapping[str, float] | None = None) -> str:
    """Return the page: at most 72 columns of ASCII."""
    parts = [verdict_table(page), _legend(), _failures(page), shown_text(page)]
    if weighed:
        parts.append(ranking_text(ranked, weighed))
    parts.append("The command that shows a cell: workbench verdict --why DESIGN:COLUMN\n")
    return "\n".join(part for part in parts if part)


def verdict_table(page: Page) -> str:
    """Return the table alone: a row for each design, columns in groups by what a reader may weigh."""
    columns = [Column("design"), *(Column(name, column.criterion) for name, column in COLUMNS.items())]
    rows = [[label, *(cells[name].text for name in COLUMNS)] for label, cells in page.cells.items()]
    return as_text(Table("The page that decides", columns, rows))


def _legend() -> str:
    lines = ["Columns, simulated and explored, not measured on hardware:"]
    for name, column in COLUMNS.items():
        lines += wrapped(f"  {name}: {column.title}")
    return "\n".join(lines) + "\n"


def _failures(page: Page) -> str:
    lines = ["Failures, each with the steps of its shortest trace:"]
    for label, cells in page.cells.items():
        lines += wrapped(f"  {label}: {cells['fails'].seen}")
        if page.asked[label].repaired is not None:
            lines += wrapped(f"    {cells['repaired'].seen}")
    return "\n".join(lines) + "\n"


def shown_text(page: Page) -> str:
    """Return what the rows show together, a sentence each; empty if they show nothing."""
    found = sentences(page)
    lines = ["What the rows show together:"] if found else []
    for text in found:
        lines += wrapped(f"  {text}")
    return "\n".join(lines) + "\n" if found else ""


def ranking_text(ranked: Sequence[Ranked], weighed: Mapping[str, float]) -> str:
    """Return a reader's ranking, which says what it is."""
    said = ", ".join(f"{name} {weight:g}" for name, weight in weighed.items())
    columns = [Column("design"), Column("mean place"), *(Column(name, "place by") for name in weighed)]
    rows = [
        [one.label, _place(one.score), *(_place(one.places[name]) for name in weighed)] for one in ranked
    ]
    note = (
        f"Weights chosen by the reader: {said}. A place is the mean over the columns of a criterion, 1 is the best; "
        "equal designs share the mean of their places. What was not weighed does not count."
    )
    return as_text(Table("A ranking by chosen weights", columns, rows, notes=(note,)))


def _place(place: float | None) -> str:
    return "-" if place is None or place == float("inf") else f"{place:.2f}"


def why_text(page: Page, design: str, column: str) -> str:
    """Return the evidence for one cell: what was seen, and the command line that shows it."""
    cell = page.cell(design, column)
    lines = [
        *wrapped(f"{design}, {column}: {cell.text}"), *wrapped(f"  {COLUMNS[column].title}"),
        *wrapped(f"  {cell.seen}"), *command_lines(cell.command, "  $ "),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def records(page: Page) -> list[dict[str, object]]:
    """Return one flat record for each design and column."""
    return [
        {"protocol": label, "column": name, "criterion": column.criterion, "cell": cells[name].text,
         "rank": cells[name].rank, "seen": cells[name].seen, "command": " ".join(cells[name].command)}
        for label, cells in page.cells.items()
        for name, column in COLUMNS.items()
    ]  # fmt: skip
