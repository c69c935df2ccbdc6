"""A table of small boxes with names above and beside them: fates, and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from workbench.lifecycle import EVENTS
from workbench.lifecycle.under_vmm import SEPARATOR as AT
from workbench.present.figures.sheet import SMALL, Sheet
from workbench.present.figures.style import INK

OTHER = "events of your own"
NAMES = 0.3  #: of the width, the most that the names of rows may take


class Box(NamedTuple):
    """How one cell looks."""

    colour: str
    hatch: str = ""
    ink: str = INK
    text: str = ""
    edge: str = "#999999"


def by_group(events: Iterable[str]) -> list[tuple[str, str]]:
    """Return (group, event), those of one group side by side; groups and events stay in order otherwise."""
    found = [(EVENTS[name].group if (name := one.partition(AT)[0]) in EVENTS else OTHER, one) for one in events]
    groups = list(dict.fromkeys(group for group, _ in found))
    return sorted(found, key=lambda pair: groups.index(pair[0]))


class Grid:
    """A table at the sheet's present place.

    ``names``: those of its rows; ``cell``: width and height of a cell in inches, narrower where ``columns`` of them do
    not fit; ``words``: what stands in the cells, in smaller letters where they are narrow.
    """

    def __init__(
        self, sheet: Sheet, names: Iterable[str], cell: tuple[float, float], columns: int, words: Iterable[str] = ()
    ) -> None:
        self.sheet = sheet
        self.width, self.height = cell
        most = NAMES * sheet.width
        self._names = {name: sheet.fitted(name, most, SMALL) for name in names}
        self.beside = max((sheet.text_width(text, SMALL) for text in self._names.values()), default=0) + 0.6 * sheet.em
        self.width = min(self.width, (sheet.width - self.beside) / columns)
        widest = max((sheet.text_width(word, SMALL) for word in words), default=0)
        self._scale = SMALL * min(1, (self.width - 0.4 * sheet.em) / widest) if widest else SMALL

    def columns(self, names: Sequence[str]) -> None:
        """Write the columns' names: in several lines, or turned where they would be too narrow."""
        sheet = self.sheet
        texts = [sheet.fitted(name, self.width - 0.3 * sheet.em, SMALL) for name in names]
        whole = [sheet.text_width(name, SMALL) for name in names]
        turned = max((text.count("\n") for text in texts), default=0) > 2 or self.width < 4 * sheet.em
        if turned:
            texts = list(names)
        tall = max(whole) if turned else max(sheet.height_of(text, SMALL) for text in texts)
        for at, text in enumerate(texts):
            x = sheet.left + self.beside + self.width * (at + 0.5)
            sheet.text(x, sheet.y + tall, text, SMALL, ha="center", va="bottom", rotation=90 if turned else 0)
        sheet.y += tall + 0.4 * sheet.em

    def group(self, name: str) -> None:
        """Write the heading of a group of rows."""
        self.sheet.y += 0.3 * self.sheet.em
        self.sheet.text(self.sheet.left, self.sheet.y, name, SMALL, va="top", weight="bold")
        self.sheet.y += self.sheet.height_of(name, SMALL)

    def row(self, name: str, boxes: Sequence[Box]) -> None:
        """Draw one row."""
        sheet, label = self.sheet, self._names[name]
        tall = max(self.height, sheet.height_of(label, SMALL))
        sheet.text(sheet.left + self.beside - 0.6 * sheet.em, sheet.y + tall / 2, label, SMALL, ha="right")
        for at, box in enumerate(boxes):
            x = sheet.left + self.beside + self.width * at
            sheet.box(x, sheet.y, self.width, tall, box.colour, box.hatch, box.edge)
            if box.text:
                middle = (x + self.width / 2, sheet.y + tall / 2)
                sheet.text(*middle, box.text, self._scale, ha="center", colour=box.ink)
        sheet.y += tall
