"""Curves: what grows with vCPUs and with features. Every point is a run; each curve is named where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workbench.present.figures.sheet import SMALL, SOURCE, Sheet
from workbench.present.figures.sizes import DEFAULT
from workbench.present.figures.style import EDGE, Look, looks
from workbench.present.figures.words import capital, compared, features_of, listed, number, vcpus_of

if TYPE_CHECKING:
    import pandas

Curve = Mapping[int, float]  #: values by vCPUs, or by number of features
NAMES = 0.36  #: of the width, the most that the names of curves may take
MARGIN = 4.2  #: for the numbers of the y axis, in heights of letters
ROOM_ABOVE = 1.06  #: the y axis ends above the highest point


def growth(
    table: pandas.DataFrame, metric: str, what: str, event: str = "boot", note: str = "", *, size: str = DEFAULT
) -> Figure:
    """Return ``metric`` for each vCPU over the number of vCPUs, a curve for each protocol; ``what`` names the metric.

    For each vCPU, because the totals of all designs grow with the machine, and hide by how much they differ.
    """
    chosen = table[(table["metric"] == metric) & (table["event"] == event)]
    points = sorted({int(vcpus) for vcpus in chosen["vcpus"]})
    totals = _curves(chosen, "vcpus")
    curves = {name: {x: value / x for x, value in curve.items()} for name, curve in totals.items()}
    unit, most = _unit(chosen, what), points[-1]
    ends = {name: curve[most] for name, curve in curves.items()}
    about = f"at {event}; {number(most)} vCPUs, {features_of(chosen)}"
    sheet = Sheet(size, f"{capital(what)} for each vCPU: {compared(ends, _after(unit))}", about)
    says = {name: f"{number(ends[name])} ({number(curve[most])} in all)" for name, curve in totals.items()}
    places = {x: log2(x) for x in points}
    axes = _drawn(sheet, curves, places, says, f"{what} for each vCPU ({unit})")
    _points_below(sheet, axes, places)
    return sheet.done("; ".join(filter(None, (SOURCE, f"run at {listed(points)} vCPUs", note))))


def carried(table: pandas.DataFrame, event: str = "boot") -> str:
    """Return one line: how much of each protocol's state a migration carries, for the largest machine run."""
    largest = table[(table["event"] == event) & (table["vcpus"] == table["vcpus"].max())]
    values = {(row.protocol, row.metric): int(row.value) for row in largest.itertuples() if row.unit == "bytes"}
    shares = [
        f"{protocol} {100 * values[protocol, 'state_carried_bytes'] // values[protocol, 'state_bytes']}\u00a0%"
        for protocol in largest["protocol"].unique()
        if values[protocol, "state_bytes"]
    ]
    return "of this a migration carries: " + ", ".join(shares)


def feature_growth(
    table: pandas.DataFrame, metric: str, what: str, names: Sequence[str] = (), *, size: str = DEFAULT
) -> Figure:
    """Return curves of ``metric`` over the number of features; ``names``: the features in the order added.

    No names: each design has features of its own, in an order of its own.
    """
    chosen = table[table["metric"] == metric]
    curves = _curves(chosen, "feature_count")
    unit, event = _unit(chosen, what), chosen["event"].iloc[0]
    ends = {name: curve[max(curve)] for name, curve in curves.items()}
    together = f"all {len(names)} features" if len(names) > 1 else names[0] if names else "all features of each design"
    most = max(map(max, curves.values()))
    about = f"at {event}; {vcpus_of(chosen)}; one feature more at each step"
    sheet = Sheet(size, f"{capital(what)} with {together}: {compared(ends, _after(unit))}", about)
    places = {at: float(at) for at in range(1, most + 1)}
    axes = _drawn(sheet, curves, places, {name: number(end) for name, end in ends.items()}, f"{what} ({unit})")
    _features_below(sheet, axes, names or [""] * most)
    return sheet.done(f"{SOURCE}; every point is a run")


def _curves(chosen: pandas.DataFrame, x: str) -> dict[str, Curve]:
    found: dict[str, dict[int, float]] = {}
    for row in chosen.to_dict("records"):
        found.setdefault(str(row["protocol"]), {})[int(row[x])] = int(row["value"])
    return {name: dict(sorted(curve.items())) for name, curve in found.items()}


def _drawn(
    sheet: Sheet, curves: Mapping[str, Curve], places: Mapping[int, float], says: Mapping[str, str], label: str
) -> Axes:
    """Draw the curves with their names at the right; the y axis begins at 0, and its label stands above it."""
    texts = _named(sheet, curves, says, NAMES * sheet.width - 3 * sheet.em)
    room = 3.2 * sheet.em + max(sheet.text_width(text, SMALL) for text in texts)
    height = max(sheet.size.plot * sheet.width, sum(sheet.height_of(text, SMALL) for text in texts))
    sheet.text(sheet.left, sheet.y, label, SMALL, va="top")
    sheet.y += 1.9 * sheet.em
    margin = MARGIN * sheet.em
    axes = sheet.plot(sheet.left + margin, sheet.width - margin - room, height)
    top = ROOM_ABOVE * (max(max(curve.values()) for curve in curves.values()) or 1)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=top > 5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    look = looks(curves)
    for index, (name, curve) in enumerate(curves.items()):
        thick = 1 - 0.6 * index / len(curves)  # later curves are thinner: earlier ones stay visible under them
        xs = [places[x] for x in curve]
        axes.plot(xs, list(curve.values()), clip_on=False, label=name, **_line(look[name], sheet, thick))
    ends = [sheet.y + height * (1 - curve[max(curve)] / top) for curve in curves.values()]
    _ends(sheet, [look[name] for name in curves], texts, ends, height, sheet.left + sheet.width - room)
    sheet.y += height
    return axes


def _ends(
    sheet: Sheet, look: Sequence[Look], texts: Sequence[str], ends: Sequence[float], height: float, x: float
) -> None:
    """Write the names beside the ends of the curves, each behind a piece of its curve."""
    tall = [sheet.height_of(text, SMALL) for text in texts]
    for one, text, end, y in zip(look, texts, ends, _apart(ends, tall, sheet.y, sheet.y + height), strict=True):
        sheet.line([x + 0.3 * sheet.em, x + 0.9 * sheet.em], [end, y], color=EDGE, linewidth=0.05 * sheet.points())
        piece = [x + 0.9 * sheet.em, x + 1.75 * sheet.em, x + 2.6 * sheet.em]
        sheet.line(piece, [y] * 3, markevery=[1], **_line(one, sheet, 0.7))
        sheet.text(x + 3 * sheet.em, y, text, SMALL)


def _line(look: Look, sheet: Sheet, thick: float) -> dict[str, Any]:
    points = sheet.points()
    return {
        "color": look.colour, "linestyle": look.dashes, "marker": look.marker, "linewidth": 0.28 * points * thick,
        "markersize": 0.75 * points * thick,
    }  # fmt: skip


def _named(sheet: Sheet, curves: Mapping[str, Curve], says: Mapping[str, str], inches: float) -> list[str]:
    """Return what stands beside each curve: its name, and its last value or which curve lies under it."""
    found, names = [], list(curves)
    for at, name in enumerate(names):
        same = next((other for other in names[:at] if curves[other] == curves[name]), None)
        found.append(sheet.fitted(f"{name}: as {same}" if same else f"{name}: {says[name]}", inches, SMALL))
    return found


def _apart(wanted: Sequence[float], tall: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return the middle of each text, as near to where it is wanted as the others and the edges let it be."""
    order = sorted(range(len(wanted)), key=lambda at: (wanted[at], at))
    found = [0.0] * len(wanted)
    edge = top
    for at in order:
        found[at] = max(wanted[at], edge + tall[at] / 2)
        edge = found[at] + tall[at] / 2
    edge = bottom
    for at in reversed(order):
        found[at] = min(found[at], edge - tall[at] / 2)
        edge = found[at] - tall[at] / 2
    return found


def _points_below(sheet: Sheet, axes: Axes, places: Mapping[int, float]) -> None:
    """Write the numbers of vCPUs below their points, except where one would meet the one before it."""
    left, width = sheet.plotted(axes)
    low, high = axes.get_xlim()
    names, edge = [], left - 9
    for x, place in places.items():
        text, middle = number(x), left + width * (place - low) / (high - low)
        half = sheet.text_width(text, SMALL) / 2 + 0.2 * sheet.em
        names.append(text if middle - half > edge else "")
        edge = middle + half if names[-1] else edge
    axes.set_xticks(list(places.values()), names)
    sheet.y += 1.9 * sheet.em
    sheet.text(left, sheet.y, "vCPUs (number, log scale)", SMALL, va="top")
    sheet.y += 1.2 * sheet.em


def _features_below(sheet: Sheet, axes: Axes, names: Sequence[str]) -> None:
    """Write the features below their ticks: turned where their names are longer than a step."""
    axes.set_xlim(0.75, len(names) + 0.25)
    axes.set_xticks(range(1, len(names) + 1), [""] * len(names))
    left, width = sheet.plotted(axes)
    step = width / (len(names) - 0.5)
    texts = [f"{at}: {'+ ' if at > 1 else ''}{name}" if name else f"{at}" for at, name in enumerate(names, 1)]
    long = max(sheet.text_width(text, SMALL) for text in texts)
    turned = long > step - 0.4 * sheet.em
    sheet.y += 0.6 * sheet.em
    for at, text in enumerate(texts):
        x = left + step * (at + 0.25)
        sheet.text(x, sheet.y, text, SMALL, ha="center", va="top", rotation=90 if turned else 0)
    sheet.y += (long if turned else sheet.em) + 0.6 * sheet.em
    what = "features (number: the one that is added)" if any(names) else "features of each design's own ABI (number)"
    sheet.text(left, sheet.y, what, SMALL, va="top")
    sheet.y += 1.2 * sheet.em


def _unit(chosen: pandas.DataFrame, what: str) -> str:
    unit = str(chosen["unit"].iloc[0])
    return "number" if unit == what else unit


def _after(unit: str) -> str:
    return "" if unit == "number" else unit
