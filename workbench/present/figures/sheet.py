"""A figure as a sheet of paper: everything has its place in inches from the top left, and a text its measured room.

The answer stands at the top, the circumstances below it, then what is drawn, and at the bottom where it comes from.
No text is ever read as a formula: a protocol may be called ``$x$``.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from workbench.present.figures.sizes import size_of
from workbench.present.figures.style import EDGE, INK, PALE_INK
from workbench.present.figures.words import drawable, width_of, wrapped

SOURCE = "simulated, not measured on hardware"
LINE = 1.35  #: height of a line, in heights of its letters
SMALL = 0.85  #: letters of notes and numbers, in ordinary letters


class Sheet:
    """A figure that grows downwards: ``y`` is where the next thing begins, in inches from the top."""

    def __init__(self, size: str, title: str, about: str) -> None:
        self.size = size_of(size)
        self.em = self.size.em
        self.figure = Figure(figsize=(self.size.inches, 1), dpi=self.size.dpi)
        self._page = self.figure.add_axes((0, 0, 1, 1))
        self._page.axis("off")
        self._plots: list[tuple[Axes, tuple[float, float, float, float]]] = []
        self.left = self.y = 0.8 * self.em
        self.width = self.size.inches - 2 * self.left
        self.title = title
        self.paragraph(title, 1.2, weight="bold")
        self.paragraph(about, colour=PALE_INK)
        self.y += 0.7 * self.em

    def points(self, scale: float = 1.0) -> float:
        """Return the height of letters in points."""
        return self.size.points * scale

    def text_width(self, text: str, scale: float = 1.0, weight: str = "normal") -> float:
        """Return the width of a text that may have several lines, in inches."""
        return max(width_of(line, self.points(scale), weight) for line in text.split("\n"))

    def fitted(self, text: str, inches: float, scale: float = 1.0, weight: str = "normal") -> str:
        """Return the text in lines of at most ``inches``."""
        return "\n".join(wrapped(text, inches, self.points(scale), weight))

    def height_of(self, text: str, scale: float = 1.0) -> float:
        """Return the height of a text of one or more lines, in inches."""
        return (text.count("\n") + 1) * LINE * scale * self.em

    def text(
        self, x: float, y: float, text: str, scale: float = 1.0, *, ha: str = "left", va: str = "center_baseline",
        colour: str = INK, weight: str = "normal", rotation: float = 0,
    ) -> Text:  # fmt: skip
        """Put a text at a place."""
        return self._page.text(
            x, y, drawable(text), fontsize=self.points(scale), ha=ha, va=va, color=colour, weight=weight,
            rotation=rotation, linespacing=1.15, parse_math=False,
        )  # fmt: skip

    def paragraph(self, text: str, scale: float = 1.0, **look: Any) -> None:
        """Put a text over the whole width, and go on below it."""
        if text:
            lines = self.fitted(text, self.width, scale, look.get("weight", "normal"))
            self.text(self.left, self.y, lines, scale, va="top", **look)
            self.y += self.height_of(lines, scale)

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, hatch: str = "", edge: str = EDGE
    ) -> Rectangle:
        """Put a rectangle; ``x``, ``y``: its upper left corner."""
        line = 0.06 * self.points()
        shape = Rectangle((x, y), width, height, facecolor=colour, hatch=hatch, edgecolor=edge, linewidth=line)
        self._page.add_patch(shape)
        return shape

    def line(self, xs: list[float], ys: list[float], **look: Any) -> None:
        """Draw a line through places."""
        self._page.plot(xs, ys, **look)

    def key(self, entries: list[tuple[str, dict[str, str]]]) -> None:
        """Put a line of small boxes, each with its meaning; where they do not fit, several lines."""
        x, box = self.left, 1.1 * self.em
        for text, look in entries:
            width = box + 0.5 * self.em + self.text_width(text, SMALL)
            if x > self.left and x + width > self.left + self.width:
                x, self.y = self.left, self.y + 1.5 * self.em
            self.box(x, self.y, box, box, **look)
            self.text(x + box + 0.5 * self.em, self.y + box / 2, text, SMALL)
            x += width + 1.4 * self.em
        self.y += 2 * self.em

    def plot(self, left: float, width: float, height: float) -> Axes:
        """Return axes at ``y``, with a pale grid; whoever asks goes on below it."""
        axes = self.figure.add_axes((0, 0, 1, 1))
        self._plots.append((axes, (left, self.y, width, height)))
        axes.grid(visible=True, color="#dddddd", linewidth=0.06 * self.points())
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=self.points(SMALL), color=EDGE)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        return axes

    def plotted(self, axes: Axes) -> tuple[float, float]:
        """Return where axes begin at the left, and their width, in inches."""
        left, _, width, _ = next(box for one, box in self._plots if one is axes)
        return left, width

    def done(self, note: str) -> Figure:
        """Put the note at the bottom and return the figure."""
        self.y += 0.5 * self.em
        self.paragraph(note, SMALL, colour=PALE_INK)
        height = self.y + self.left / 2
        self.figure.set_size_inches(self.size.inches, height)
        self._page.set_xlim(0, self.size.inches)
        self._page.set_ylim(height, 0)
        for axes, (left, top, width, tall) in self._plots:
            axes.set_position(
                (left / self.size.inches, 1 - (top + tall) / height, width / self.size.inches, tall / height)
            )
        return self.figure
