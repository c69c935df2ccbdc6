"""Bars with their names beside them: exits in each event, guest memory of each protocol. No legend is needed.

A bar's colour is its protocol's; what the VMM handles is striped, as in the views.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from workbench.present.figures.sheet import SMALL, SOURCE, Sheet
from workbench.present.figures.sizes import DEFAULT
from workbench.present.figures.style import EDGE, PALE_INK, PARTS, looks
from workbench.present.figures.words import compared, features_of, number, vcpus_of

if TYPE_CHECKING:
    import pandas

FEW = 8  #: so many events are shown one by one; of more, those with the same numbers together
NAMES = 0.4  #: of the width, the most that the names beside bars may take
STRIPED = "/////"


class Bar(NamedTuple):
    """One bar: its name, and for each part its length and its look; ``says`` stands behind it."""

    name: str
    parts: tuple[tuple[float, str, str, str], ...]  #: (length, colour, hatch, edge)
    says: str

    @property
    def length(self) -> float:
        """The length of all parts."""
        return sum(length for length, *_ in self.parts)


class Rows(NamedTuple):
    """Bars under one heading; ``also``: further events of which the same holds."""

    heading: str
    bars: list[Bar]
    also: str = ""


def guest_memory(table: pandas.DataFrame, event: str = "boot", *, size: str = DEFAULT) -> Figure:
    """Return a bar chart of each protocol's guest memory after ``event``: descriptors, areas and padding stacked."""
    chosen = table[table["event"] == event]
    protocols = list(chosen["protocol"].unique())
    parts = {"descriptors": "descriptor_bytes", "areas": "payload_bytes", "padding": "padding_bytes"}
    values = {name: _values(chosen, metric) for name, metric in parts.items()}
    totals = {one: sum(values[name][one] for name in parts) for one in protocols}
    sheet = Sheet(
        size, f"Guest memory after {event}: {compared(totals, 'bytes')}",
        f"memory of registered areas (bytes); {vcpus_of(chosen)}, {features_of(chosen)}",
    )  # fmt: skip
    fills = dict(zip(parts, PARTS, strict=True))
    sheet.key([(name, {"colour": grey, "hatch": hatch}) for name, (grey, hatch) in fills.items()])
    bars = [
        Bar(one, tuple((values[name][one], *fills[name], EDGE) for name in parts), number(totals[one]))
        for one in protocols
    ]
    _draw(sheet, [Rows("", bars)], thick=1.5)
    return sheet.done(SOURCE)


def migration_state(table: pandas.DataFrame, event: str = "boot", *, size: str = DEFAULT) -> Figure:
    """Return a bar chart of what a migration after ``event`` must carry; what no interface carries is striped."""
    chosen = table[table["event"] == event]
    whole, carried = (_values(chosen, metric) for metric in ("state_bytes", "state_carried_bytes"))
    lost = {one: whole[one] - carried[one] for one in whole}
    sheet = Sheet(
        size, f"Bytes of state that a migration loses: {compared(lost, '')}".rstrip(),
        f"state of the host after {event} (bytes); {vcpus_of(chosen)}, {features_of(chosen)}",
    )  # fmt: skip
    sheet.key([("carried", {"colour": "#bbbbbb"}), ("lost", {"colour": "#ffffff", "hatch": STRIPED})])
    look = looks(whole)
    bars = [
        Bar(
            one, ((carried[one], look[one].colour, "", EDGE), (lost[one], "#ffffff", STRIPED, look[one].colour)),
            number(whole[one]) + (f" ({number(lost[one])} lost)" if lost[one] else ""),
        )
        for one in whole
    ]  # fmt: skip
    _draw(sheet, [Rows("", bars)], thick=1.5)
    return sheet.done(SOURCE)


def exits_by_class(table: pandas.DataFrame, *, size: str = DEFAULT) -> Figure:
    """Return a bar chart of the exits in each event that has any, a bar for each protocol; those to the VMM striped.

    Of more than a few events, those in which every protocol has the same numbers stand together, the longest bar first.
    """
    exits, user = (_by_event(table, metric) for metric in ("exits", "user_exits"))
    events = [event for event in exits if any(exits[event].values())]
    without = [event for event in exits if event not in events]
    chosen = table[table["metric"] == "exits"]
    protocols = list(chosen["protocol"].unique())
    sheet = Sheet(
        size, _most_exits({event: exits[event] for event in events}),
        f"exits (number) in each event; {vcpus_of(chosen)}, {features_of(chosen)}",
    )  # fmt: skip
    alike: dict[tuple[object, ...], list[str]] = {}
    for event in events or list(exits):
        numbers = tuple((exits[event][one], user[event][one]) for one in protocols)
        alike.setdefault(numbers if len(events) > FEW else (event,), []).append(event)
    rows = [Rows(first, _bars(exits[first], user[first]), ", ".join(others)) for first, *others in alike.values()]
    if len(events) > FEW:
        rows.sort(key=lambda row: -max(bar.length for bar in row.bars))
    sheet.key([("by KVM", {"colour": "#bbbbbb"}), ("by the VMM", {"colour": "#ffffff", "hatch": STRIPED})])
    _draw(sheet, rows)
    return sheet.done(SOURCE + (f"; no exits in {', '.join(without)}" if without else ""))


def _most_exits(exits: Mapping[str, Mapping[str, int]]) -> str:
    """Return the answer: which protocol alone takes the most exits, and in how many of the events."""
    if not exits:
        return "No exits in any of these events"
    of = f"{len(exits)} event{'s' if len(exits) > 1 else ''}"
    alone: Counter[str] = Counter()
    for own in exits.values():
        first = [one for one in own if own[one] == max(own.values())]
        alone.update(first if len(first) == 1 else ())
    if not alone:
        return f"Exits: no protocol alone takes the most in any of {of}"
    (name, count), *others = alone.most_common(2)
    return f"Most exits: {name} in {count} of {of}" + "".join(f", {other} in {less}" for other, less in others)


def _bars(exits: Mapping[str, int], user: Mapping[str, int]) -> list[Bar]:
    look = looks(exits)
    return [
        Bar(
            one, ((total - user[one], look[one].colour, "", EDGE), (user[one], "#ffffff", STRIPED, look[one].colour)),
            number(total) + (f" ({number(user[one])} by the VMM)" if user[one] else ""),
        )
        for one, total in exits.items()
    ]  # fmt: skip


def _draw(sheet: Sheet, rows: Sequence[Rows], thick: float = 0.95) -> None:
    """Draw bars below each other: name, bar, what it says; the longest bar leaves room for its words."""
    em = sheet.em
    bars = [bar for row in rows for bar in row.bars]
    names = {bar.name: sheet.fitted(bar.name, NAMES * sheet.width, SMALL) for bar in bars}
    beside = max(sheet.text_width(text, SMALL) for text in names.values()) + 0.6 * em
    room = sheet.width - beside
    scale = min(
        ((room - sheet.text_width(bar.says, SMALL) - 0.5 * em) / bar.length for bar in bars if bar.length), default=1
    )
    for row in rows:
        sheet.paragraph(row.heading, weight="bold")
        sheet.paragraph(row.also and f"also {row.also}", SMALL, colour=PALE_INK)
        for bar in row.bars:
            tall = max(sheet.height_of(names[bar.name], SMALL), (thick + 0.25) * em)
            _bar(sheet, bar, names[bar.name], (sheet.left + beside, sheet.y + tall / 2), scale, thick * em)
            sheet.y += tall
        sheet.y += 0.6 * em


def _bar(sheet: Sheet, bar: Bar, name: str, at: tuple[float, float], scale: float, thick: float) -> None:
    x, y = at
    sheet.text(x - 0.6 * sheet.em, y, name, SMALL, ha="right")
    for length, *look in bar.parts:
        if length:
            sheet.box(x, y - thick / 2, length * scale, thick, *look)
            x += length * scale
    sheet.text(x + 0.4 * sheet.em, y, bar.says, SMALL)


def _values(chosen: pandas.DataFrame, metric: str) -> dict[str, int]:
    return {row.protocol: int(row.value) for row in chosen[chosen["metric"] == metric].itertuples()}


def _by_event(table: pandas.DataFrame, metric: str) -> dict[str, dict[str, int]]:
    """Return the values of a metric by event, then by protocol."""
    found: dict[str, dict[str, int]] = {}
    for row in table[table["metric"] == metric].itertuples():
        found.setdefault(row.event, {})[row.protocol] = int(row.value)
    return found
