"""A table as text for a terminal or a mail (72 columns, ASCII), or as Markdown.

Columns are grouped, for example by protocol. A table that is too wide is printed as several tables, one below the
other, each beginning with the label columns; no line is ever broken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from textwrap import wrap

from workbench.measure.label import Label
from workbench.printable import ascii_only, printable

WIDTH = 72
GAP = 2
LONGEST_NAME = 16

Cell = int | str | None


@dataclass(frozen=True)
class Column:
    """A column's heading and the name of its group; columns of one group stay side by side."""

    name: str
    group: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first ``labels`` columns say what a row is. None is printed as "unknown".

    A row without cells is a line between two groups of rows.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    labels: int = 1
    notes: Sequence[str] = field(default=())


def cell_text(cell: Cell) -> str:
    """Return how a cell is printed."""
    return "unknown" if cell is None else ascii_only(str(cell))


def as_text(table: Table, width: int = WIDTH) -> str:
    """Return ``table`` as lines of at most ``width`` characters (a single column may be wider)."""
    parts = [_heading(table.title)] if table.title else []
    if table.columns:
        parts += [_block(table, chosen) for chosen in _blocks(table, width)]
    parts += ["\n".join(wrap(ascii_only(note), width)) for note in table.notes]
    return "\n\n".join(parts) + "\n"


def as_markdown(table: Table) -> str:
    """Return ``table`` as a Markdown section."""
    heads = [f"{column.group} {column.name}".strip() for column in table.columns]
    marks = ["---:" if _is_number(table, index) else ":---" for index in range(len(table.columns))]
    body = [[cell_text(cell) for cell in row] for row in table.rows if row]
    lines = ["| " + " | ".join(_escaped(printable(cell)) for cell in row) + " |" for row in (heads, marks, *body)]
    parts = [f"## {printable(table.title)}"] if table.title else []
    body_text = ["\n".join(lines)] if table.columns else []
    return "\n\n".join([*parts, *body_text, *map(printable, table.notes)]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _heading(title: str) -> str:
    lines = wrap(ascii_only(title), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join([*lines, "-" * max(map(len, lines))])


def _is_number(table: Table, index: int) -> bool:
    # A column of values is aligned as numbers, even if one of its values is a word or unknown.
    return any(row and isinstance(row[index], int) for row in table.rows)


def _pieces(name: str) -> list[str]:
    """Break a long name for a heading: before each +, and after LONGEST_NAME characters."""
    name = ascii_only(name)
    if len(name) <= LONGEST_NAME:
        return [name]
    parts = Label.read(name).pieces
    return [part[at : at + LONGEST_NAME] for part in parts for at in range(0, len(part), LONGEST_NAME)]


def _width(table: Table, index: int) -> int:
    column = table.columns[index]
    alone = sum(other.group == column.group for other in table.columns) == 1
    heads = [column.name, *(_pieces(column.group) if alone else [])]
    return max(len(text) for text in (*heads, *(cell_text(row[index]) for row in table.rows if row)))


def _group_width(table: Table, group: Sequence[int]) -> int:
    columns = sum(_width(table, index) for index in group) + GAP * (len(group) - 1)
    return max(columns, *(len(piece) for piece in _pieces(table.columns[group[0]].group)))


def _blocks(table: Table, width: int) -> list[list[list[int]]]:
    """Return blocks of groups of column numbers such that each block fits."""
    labels = [[index] for index in range(table.labels)]
    rest = range(table.labels, len(table.columns))
    groups = [
        list(indices)
        for name, chosen in groupby(rest, key=lambda index: table.columns[index].group)
        for indices in ([list(chosen)] if name else [[index] for index in chosen])
    ]
    start = sum(_group_width(table, label) + GAP for label in labels) - GAP
    blocks, used = [list(labels)], start
    for group in groups:
        wanted = GAP + _group_width(table, group)
        if used + wanted > width and len(blocks[-1]) > table.labels:
            blocks.append(list(labels))
            used = start
        blocks[-1].append(group)
        used += wanted
    return blocks


def _block(table: Table, groups: list[list[int]]) -> str:
    heads = _heads(table, groups)
    rows = [_line(table, groups, [cell_text(cell) for cell in row]) if row else "" for row in table.rows]
    rule = "-" * max(len(line.rstrip()) for line in (*heads, *rows))
    return "\n".join(line.rstrip() for line in (*heads, rule, *rows))


def _heads(table: Table, groups: list[list[int]]) -> list[str]:
    """Return the heading lines: the groups' names, and below them the columns' names if there are any."""
    names = [column.name for column in table.columns]
    above = _group_lines(table, groups)
    if above and not any(names[table.labels :]):
        # No names are below the groups: the names of the label columns go into the same line.
        labels = _line(table, groups, names).rstrip()
        return [*above[:-1], labels + above[-1][len(labels) :]]
    return [*above, _line(table, groups, names)]


def _group_lines(table: Table, groups: list[list[int]]) -> list[str]:
    names = [_pieces(table.columns[group[0]].group) for group in groups]
    height = max(len(pieces) for pieces in names) if any(pieces != [""] for pieces in names) else 0
    lines = []
    for level in range(height):
        cells = []
        for group, pieces in zip(groups, names, strict=True):
            from_below = level - height + len(pieces)
            piece = pieces[from_below] if from_below >= 0 else ""
            to_right = len(group) == 1 and _is_number(table, group[0])
            wide = _group_width(table, group)
            cells.append(piece.rjust(wide) if to_right else piece.ljust(wide))
        lines.append((" " * GAP).join(cells))
    return lines


def _line(table: Table, groups: list[list[int]], cells: Sequence[str]) -> str:
    texts = []
    for group in groups:
        padded = [
            cells[index].rjust(_width(table, index))
            if _is_number(table, index)
            else cells[index].ljust(_width(table, index))
            for index in group
        ]
        texts.append((" " * GAP).join(padded).ljust(_group_width(table, group)))
    return (" " * GAP).join(texts)
