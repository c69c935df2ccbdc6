"""The sizes in which a figure is drawn: for a page of paper, for a screen, for a projector in a lecture room."""

from __future__ import annotations

from typing import NamedTuple

from workbench.errors import unknown


class Size(NamedTuple):
    """Width of the figure and of its letters; the height follows from what is drawn."""

    inches: float  #: width
    points: float  #: height of ordinary letters
    dpi: int  #: dots per inch of a PNG
    plot: float  #: height of curves, in widths of the figure

    @property
    def em(self) -> float:
        """The height of ordinary letters in inches; distances are multiples of it."""
        return self.points / 72


SIZES = {
    "print": Size(6.3, 8.5, 300, 0.42),  # the width of text on A4
    "screen": Size(7.5, 9.5, 120, 0.42),
    "projector": Size(13.33, 18, 96, 0.36),  # a slide of 16:9, letters of 18 points
}
DEFAULT = "screen"


def size_of(name: str) -> Size:
    """Return the size of a name; raise WorkbenchError for an unknown one."""
    if name not in SIZES:
        raise unknown("size of figure", name, SIZES)
    return SIZES[name]
