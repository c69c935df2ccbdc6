"""One-line functions for notebook cells: show a table as text, a figure as PNG, a drawing as SVG."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.present.figures.images import png
from workbench.present.text.table import Table, as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(table: Table) -> None:
    """Print a table as plain text of 72 columns."""
    sys.stdout.write(as_text(table))


def picture(figure: Figure, alt: str) -> Picture:
    """Return a figure for display; ``alt`` says what it shows and where its numbers are given as text."""
    return Picture(png(figure), alt)


@dataclass(frozen=True)
class Drawing:
    """An SVG drawing; as text, what it shows."""

    svg: str
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_svg_(self) -> str:
        return self.svg


def drawing(svg: str, alt: str) -> Drawing:
    """Return an SVG drawing for display; ``alt`` says what it shows and where it is given as text."""
    return Drawing(svg, alt)


@dataclass(frozen=True)
class Picture:
    """A picture; as text, what it shows."""

    png: bytes
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_wanted: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"image/png": self.png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}
