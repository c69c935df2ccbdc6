"""One-line functions for notebook cells: show a table as text, a figure as PNG, a drawing as SVG."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from workbench.present.figures.images import png
from workbench.present.text.table import Table, as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(table: Table) -> None:
    """Print a table as plain text of 72 columns."""
    sys.stdout.write(as_text(table))


def picture(figure: Figure, alt: str) -> Any:
    """Return a figure for display; ``alt`` says what it shows and where its numbers are given as text."""
    from IPython.display import Image

    return Image(png(figure), alt=alt)


def drawing(svg: str) -> Any:
    """Return an SVG drawing for display."""
    from IPython.display import SVG

    return SVG(svg)
