"""A table of words for a lecture room: each cell is coloured by how good its news is, and says it in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple


class Cell(NamedTuple):
    """One cell; ``tone`` is a name of ``figures.style.TONES``, empty for no colour."""

    text: str
    tone: str = ""


def table(name: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[Cell]]]) -> str:
    """Return a table as HTML: ``columns`` are the names above, those of the rows stand at the left."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row)}</th>{"".join(map(_cell, cells))}</tr>' for row, cells in rows
    )
    return (
        f'<table class="words"><caption>{escape(name)}</caption><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _cell(cell: Cell) -> str:
    tone = f' class="pvw-tone-{cell.tone}"' if cell.tone else ""
    return f"<td{tone}>{escape(cell.text)}</td>"


__all__ = ["Cell", "table"]
