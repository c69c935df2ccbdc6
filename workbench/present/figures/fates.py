"""The worst fate of any area as a table of words: events by protocols, the more harmful the darker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from workbench.core.outcome import Fate
from workbench.present.figures.grid import Box, Grid, by_group
from workbench.present.figures.sheet import SMALL, SOURCE, Sheet
from workbench.present.figures.sizes import DEFAULT
from workbench.present.figures.style import FATE_TONES, TONES
from workbench.present.figures.words import compared, features_of, vcpus_of

if TYPE_CHECKING:
    import pandas

#: A guest with such an area reads or loses memory without knowing.
BAD = (Fate.SILENT.value, Fate.LOST.value, Fate.STALE.value, Fate.ENDED.value)
FEW = 8  #: so many events are shown one by one; of more, those that go as most do are one row


def fates(table: pandas.DataFrame, *, size: str = DEFAULT) -> Figure:
    """Return a table of events (rows) by protocols (columns); each cell names the worst fate of any area.

    Of more than a few events, those in which nothing bad happens and all goes as in most of them are one row, and the
    note names them.
    """
    chosen = table[table["metric"] == "fate"]
    protocols = list(chosen["protocol"].unique())
    words: dict[str, dict[str, str]] = {}
    for row in chosen.itertuples():
        words.setdefault(row.event, {})[row.protocol] = str(row.value)
    bad = {one: sum(own[one] in BAD for own in words.values()) for one in protocols}
    sheet = Sheet(
        size, f"Events that leave an area {_bad_words(words)}: {compared(bad, f'of {len(words)}')}",
        f"the worst fate (word) of any area in each event; {vcpus_of(chosen)}, {features_of(chosen)}",
    )  # fmt: skip
    usual = _usual(words) if len(words) > FEW else []
    shown = [event for event in words if event not in usual]
    together = f"{usual[0]} and {len(usual) - 1} more" if usual else ""
    names = [*shown, *filter(None, [together])]
    said = {word for own in words.values() for word in own.values()}
    grid = Grid(sheet, names, (11 * sheet.em, 1.5 * sheet.em), len(protocols), said)
    grid.columns(protocols)
    if together:
        grid.row(together, [_box(words[usual[0]][one]) for one in protocols])
    for group, events in groupby(by_group(shown), lambda pair: pair[0]):
        grid.group(group)
        for _, event in events:
            grid.row(event, [_box(words[event][one]) for one in protocols])
    sheet.y += 0.5 * sheet.em
    if together:
        sheet.paragraph(f"As {usual[0]}: {', '.join(usual[1:])}.", SMALL)
    return sheet.done(f"{SOURCE}; darker is worse")


def _bad_words(words: Mapping[str, Mapping[str, str]]) -> str:
    """Return the bad fates as a list of words; "ended" only where it occurs."""
    ended = any(Fate.ENDED.value in own.values() for own in words.values())
    return "silent, lost, stale or ended" if ended else "silent, lost or stale"


def _usual(words: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the events that go the way most go, if that is harmless and there are several."""
    ways = Counter(tuple(own.values()) for own in words.values() if not set(own.values()) & set(BAD))
    if not ways or (most := ways.most_common(1)[0])[1] < 2:
        return []
    return [event for event, own in words.items() if tuple(own.values()) == most[0]]


def _box(word: str) -> Box:
    tone = TONES[FATE_TONES[word]]
    return Box(tone.fill, ink=tone.ink, text=word, edge="#ffffff")
