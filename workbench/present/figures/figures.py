"""Figures of tidy measurements, as matplotlib ``Figure`` objects: no pyplot, no global state.

Every axis has its unit; a protocol looks the same in every figure (``style.looks``); every plotted point is a
run of the simulator and the figure says so. The same table gives the same bytes (``images``).
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from workbench.measure.label import Label
from workbench.present.figures.style import DARK_FATES, FATE_COLOUR, PARTS, Look, looks

if TYPE_CHECKING:
    import pandas

SOURCE = "simulated, not measured on hardware"
WIDTH = 7.0  # inches
LETTERS_PER_INCH = 17  # of the note below a figure


def growth(table: pandas.DataFrame, metric: str, what: str, event: str = "boot", note: str = "") -> Figure:
    """Return curves of ``metric`` over vCPUs, one for each protocol; ``what`` names the y axis."""
    chosen = table[(table["metric"] == metric) & (table["event"] == event)]
    points = sorted(int(vcpus) for vcpus in chosen["vcpus"].unique())
    figure, axes = _figure(
        f"{what} by number of vCPUs (event: {event})", _joined(f"run at {_listed(points)} vCPUs", note)
    )
    _curves(axes, chosen, "vcpus")
    axes.set_xscale("log", base=2)
    axes.set_xticks(points, [str(point) for point in points])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("vCPUs (number, log scale)")
    _log_values(axes, chosen, f"{what} ({_unit(chosen, what)}")
    return figure


def carried(table: pandas.DataFrame, event: str = "boot") -> str:
    """Return one line: how much of each protocol's state a migration carries, for the largest machine run."""
    largest = table[(table["event"] == event) & (table["vcpus"] == table["vcpus"].max())]
    values = {
        (row.protocol, row.metric): int(row.value) for row in largest.itertuples() if row.unit == "bytes"
    }
    shares = [
        f"{protocol} {100 * values[protocol, 'state_carried_bytes'] // values[protocol, 'state_bytes']} %"
        for protocol in largest["protocol"].unique()
        if values[protocol, "state_bytes"]
    ]
    return "of this a migration carries: " + ", ".join(shares)


def feature_growth(table: pandas.DataFrame, metric: str, what: str, names: Sequence[str]) -> Figure:
    """Return curves of ``metric`` over the number of features; ``names``: the features in the order added."""
    chosen = table[table["metric"] == metric]
    vcpus = int(chosen["vcpus"].iloc[0])
    title = f"{what} by number of features ({vcpus} vCPUs, event: {chosen['event'].iloc[0]})"
    figure, axes = _figure(title, "every point is a run")
    _curves(axes, chosen, "feature_count")
    counts = sorted(int(count) for count in chosen["feature_count"].unique())
    axes.set_xticks(counts, [f"{count}: +{name}" for count, name in zip(counts, names, strict=True)])
    axes.tick_params(axis="x", rotation=25)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
    axes.set_xlabel("features (number: the one that was added)")
    axes.set_ylabel(f"{what} ({_unit(chosen, what)})")
    axes.set_ylim(bottom=0)
    axes.margins(y=0.08)
    return figure


def guest_memory(table: pandas.DataFrame, event: str = "boot") -> Figure:
    """Return a bar chart of each protocol's guest memory after ``event``: descriptors, areas and padding stacked."""
    chosen = table[table["event"] == event]
    protocols = list(chosen["protocol"].unique())
    vcpus = int(chosen["vcpus"].iloc[0])
    figure, axes = _figure(f"Guest memory for registered areas ({vcpus} vCPUs, after {event})", "")
    left = [0] * len(protocols)
    parts = (("descriptor_bytes", "descriptors"), ("payload_bytes", "areas"), ("padding_bytes", "padding"))
    for (metric, label), (grey, hatch) in zip(parts, PARTS, strict=True):
        values = _values(chosen, metric, protocols)
        axes.barh(
            protocols, values, left=left, color=grey, hatch=hatch, edgecolor="black", label=label, height=0.6
        )
        left = [before + value for before, value in zip(left, values, strict=True)]
    for protocol, total in zip(protocols, left, strict=True):
        axes.annotate(f" {total}", (total, protocol), va="center", fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel("guest memory (bytes)")
    axes.set_ylabel("protocol (name)")
    axes.margins(x=0.12)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=3, frameon=False)
    _height(figure, 1.8 + 0.5 * len(protocols))
    return figure


def fates(table: pandas.DataFrame) -> Figure:
    """Return a heat map of events (rows) by protocols (columns); each cell names the worst fate of any area."""
    chosen = table[table["metric"] == "fate"]
    events, protocols = list(chosen["event"].unique()), list(chosen["protocol"].unique())
    words = {(row.event, row.protocol): str(row.value) for row in chosen.itertuples()}
    figure, axes = _figure(
        "The worst that became of any area", "darker is worse", width=2.6 + 1.5 * len(protocols)
    )
    for y, event in enumerate(events):
        for x, protocol in enumerate(protocols):
            word = words[event, protocol]
            axes.fill_between(
                [x, x + 1], y, y + 1, facecolor=FATE_COLOUR[word], edgecolor="black", linewidth=0.6
            )
            colour = "white" if word in DARK_FATES else "black"
            axes.text(x + 0.5, y + 0.5, word, ha="center", va="center", color=colour)
    axes.set_xlim(0, len(protocols))
    axes.set_ylim(len(events), 0)
    axes.set_xticks([x + 0.5 for x in range(len(protocols))], [_two_lines(name) for name in protocols])
    axes.set_yticks([y + 0.5 for y in range(len(events))], events)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_ylabel("event (name)")
    axes.grid(visible=False)
    _height(figure, 1.3 + 0.3 * len(events))
    return figure


def exits_by_class(table: pandas.DataFrame) -> Figure:
    """Return a bar chart of the exits in each event that has any, a bar per protocol; exits to the VMM are black."""
    chosen = table[table["metric"].isin(("exits", "user_exits"))]
    values = {(row.event, row.protocol, row.metric): int(row.value) for row in chosen.itertuples()}
    protocols = list(chosen["protocol"].unique())
    everything = list(chosen["event"].unique())
    exiting = [event for event in everything if any(values[event, one, "exits"] for one in protocols)]
    events = exiting or everything
    without = ", ".join(event for event in everything if event not in events)
    note = _joined("black: exits to the VMM", f"no exits in {without}" if without else "")
    look = looks(protocols)
    figure, axes = _figure(f"Exits in each event ({int(chosen['vcpus'].iloc[0])} vCPUs)", note)
    for index, protocol in enumerate(protocols):
        bars = [(values[event, protocol, "exits"], values[event, protocol, "user_exits"]) for event in events]
        _bars(axes, protocol, bars, 0.8 / len(protocols), index, look[protocol])
    axes.set_yticks(range(len(events)), events)
    axes.set_ylim(len(events) - 0.5, -0.5)
    axes.set_xlim(0, max((*values.values(), 1)) * 1.25)
    axes.set_xlabel("exits (number)")
    axes.set_ylabel("event (name)")
    axes.grid(visible=False, axis="y")
    # Beside the title, because bars may reach into every corner of the axes.
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(protocols), frameon=False, borderpad=0)
    _height(figure, 1.8 + (0.12 + 0.13 * len(protocols)) * len(events))
    return figure


def _bars(
    axes: Axes, protocol: str, bars: Sequence[tuple[int, int]], thick: float, index: int, look: Look
) -> None:
    """Draw one protocol's bars, (exits, of these to the VMM) for each event, ``index`` places below its middle."""
    places = [y - 0.4 + thick * (index + 0.5) for y in range(len(bars))]
    total, user = [exits for exits, _ in bars], [to_vmm for _, to_vmm in bars]
    kernel = [exits - to_vmm for exits, to_vmm in bars]
    axes.barh(
        places, total, thick * 0.9, color=look.colour, hatch=look.hatch, edgecolor="black", linewidth=0.6,
        label=protocol,
    )  # fmt: skip
    axes.barh(places, user, thick * 0.9, left=kernel, color="black")
    for y, (exits, to_vmm) in zip(places, bars, strict=True):
        text = f" {exits} ({to_vmm} to the VMM)" if to_vmm else f" {exits}"
        axes.text(exits, y, text, va="center", fontsize=6.5)


def _figure(title: str, note: str, width: float = WIDTH) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=11, loc="left")
    text = fill(_joined(SOURCE, note), int(width * LETTERS_PER_INCH))
    figure.supxlabel(text, fontsize=7, color="#444444", x=0.01, ha="left")
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _height(figure: Figure, inches: float) -> None:
    figure.set_size_inches(figure.get_figwidth(), inches)


def _curves(axes: Axes, chosen: pandas.DataFrame, x: str) -> None:
    look = looks(chosen["protocol"].unique())
    groups = list(chosen.groupby("protocol", sort=False))
    for index, (protocol, rows) in enumerate(groups):
        rows = rows.sort_values(x)
        style = look[str(protocol)]
        thin = index / len(groups)  # later curves are thinner, so that earlier ones stay visible
        axes.plot(
            rows[x].astype(int), rows["value"].astype(int), color=style.colour, linestyle=style.dashes,
            marker=style.marker, markersize=7 - 3 * thin, linewidth=3 - 2 * thin, label=str(protocol),
        )  # fmt: skip
    axes.legend(frameon=False)


def _log_values(axes: Axes, chosen: pandas.DataFrame, label: str) -> None:
    values = [int(value) for value in chosen["value"]]
    if min(values) > 0:
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=1)  # a log scale cannot show a curve of zeros
        axes.set_ylim(bottom=-0.2, top=max(*values, 1) * 2)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(f"{label}, log scale)")


def _unit(chosen: pandas.DataFrame, what: str) -> str:
    unit = str(chosen["unit"].iloc[0])
    return "number" if unit == what else unit


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _values(chosen: pandas.DataFrame, metric: str, protocols: Sequence[str]) -> list[int]:
    values = {row.protocol: row.value for row in chosen[chosen["metric"] == metric].itertuples()}
    return [int(values[protocol]) for protocol in protocols]


def _listed(points: Sequence[int]) -> str:
    return ", ".join(map(str, points[:-1])) + (" and " if len(points) > 1 else "") + str(points[-1])


def _two_lines(name: str) -> str:
    return "\n".join(Label.read(name).pieces)
