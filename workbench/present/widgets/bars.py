"""Two panels with sliders: exits of an event with their cost, and the state that a migration must carry.

Both show one bar for each protocol, split in two, and a table of the numbers. Every value comes from a run of
the simulator (``measure.measured``), which is cached: returning to a setting only draws again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ipywidgets as W  # noqa: N812
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from workbench.core.contracts import Feature
from workbench.features import choose as choose_features
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.comparison import cost
from workbench.measure.comparison.runs import Measured, measured
from workbench.measure.comparison.state import entry_kinds
from workbench.measure.label import Label
from workbench.measure.variants import DEFAULT, Variant, variants
from workbench.present.figures.images import png
from workbench.present.figures.style import looks
from workbench.present.text.table import Cell, Column, Table, as_text
from workbench.present.widgets import choosers
from workbench.present.widgets.panel import Panel, View

DPI = 100


class Bar(NamedTuple):
    """One protocol's bar: the lengths of its plain and its black part, and the text at its end."""

    label: str
    plain: int
    black: int
    words: str


class BarPicture:
    """A figure that is reused: if the protocols are the same, only the bars' lengths change (half the time)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
        FigureCanvasAgg(self.figure)
        self.axes = self.figure.subplots()
        self.figure.subplots_adjust(left=0.22, right=0.97, top=0.86, bottom=0.2)
        self._labels: list[str] = []
        self._rows: list[tuple[Rectangle, Rectangle]] = []

    def draw(self, bars: Sequence[Bar], title: str, unit: str) -> bytes:
        """Return the bars as PNG."""
        if [bar.label for bar in bars] != self._labels:
            self._rebuild(bars)
        longest = max((bar.plain + bar.black for bar in bars), default=0)
        for (plain, black), bar, words in zip(self._rows, bars, self._words, strict=True):
            plain.set_width(bar.plain)
            black.set_x(bar.plain)
            black.set_width(bar.black)
            words.set_text(f" {bar.words}")
            words.set_x(bar.plain + bar.black)
        self.axes.set_xlim(0, max(longest, 1) * 1.45)  # room for the text
        self.axes.set_title(title, fontsize=10, loc="left")
        self.axes.set_xlabel(unit)
        return png(self.figure)

    def _rebuild(self, bars: Sequence[Bar]) -> None:
        self._labels = [bar.label for bar in bars]
        look = looks(self._labels)
        self.axes.clear()
        self._rows, self._words = [], []
        for y, label in enumerate(self._labels):
            style = look[label]
            (plain,) = self.axes.barh([y], [0], 0.6, color=style.colour, hatch=style.hatch, edgecolor="black")
            (black,) = self.axes.barh([y], [0], 0.6, color="black")
            self._rows.append((plain, black))
            self._words.append(self.axes.text(0, y, "", va="center", fontsize=8))
        names = ["\n".join(Label.read(label).pieces) for label in self._labels]
        self.axes.set_yticks(range(len(bars)), names, fontsize=8)
        self.axes.set_ylim(len(bars) - 0.4, -0.6)
        self.axes.set_ylabel("protocol")


class _BarPanel(Panel):
    """Common part of the two panels: the controls that choose the machine."""

    size = (700, 260)

    def __init__(
        self, vcpus: int = 64, event: str = "boot", protocols: Sequence[str] = DEFAULT,
        features: Sequence[str] | None = None, cost_model: str | None = None,
    ) -> None:  # fmt: skip
        self.controls = {
            "vcpus": choosers.vcpus(vcpus),
            "event": choosers.event(event),
            "protocols": choosers.protocols(protocols),
            "features": choosers.features(features),
        }
        if self.priced:
            self.controls["cost_model"] = choosers.cost_model(cost_model)
        self.bars = BarPicture(self.size)
        slider, happening, who, what, *model = self.controls.values()
        self.start(slider, W.HBox([happening, *model]), who, what)

    priced = False

    def runs(self) -> list[tuple[Variant, Measured]]:
        """Return one run for each chosen protocol."""
        asked = {name: control.value for name, control in self.controls.items()}
        chosen: tuple[Feature, ...] = choose_features(asked["features"])
        happening = choose_event(asked["event"])
        return [(one, measured(one, chosen, asked["vcpus"], happening)) for one in variants(asked["protocols"])]

    def title(self, what: str) -> str:
        """Return the picture's title: ``what`` is shown, and for which machine."""
        values = {name: control.value for name, control in self.controls.items()}
        return f"{what}: {values['event']}, {values['vcpus']} vCPUs, {len(values['features'])} features (simulated)"


class ExitsPanel(_BarPanel):
    """Exits of one event by protocol, exits to the VMM black; with a cost model also their cost."""

    priced = True

    def view(self) -> View:
        """Return the bars of exits and the table with fates, stores and cost."""
        runs, name = self.runs(), self.controls["cost_model"].value
        model = None if name is None else cost.load(name)
        rows = [
            [
                one.label, run.fate.value, run.counts["exits"], run.counts["kernel_exits"], run.counts["user_exits"],
                run.counts["guest_stores"], *([] if model is None else [model.cost(run)]),
            ]
            for one, run in runs
        ]  # fmt: skip
        names = ["protocol", "fate", "exits", "kernel", "user", "stores", *([] if model is None else ["cycles"])]
        notes = [] if model is None else [f"cycles: by cost model {model.name}, a published figure: {model.title}."]
        table = Table("", [Column(one) for one in names], rows, notes=notes)
        bars = [self._bar(one, run) for one, run in runs]
        return View(as_text(table), self.bars.draw(bars, self.title("Exits"), "exits (number); black: to the VMM"))

    def _bar(self, one: Variant, run: Measured) -> Bar:
        user = run.counts["user_exits"]
        words = f"{run.counts['exits']}" + (f" ({user} to the VMM)" if user else "")
        return Bar(one.label, run.counts["kernel_exits"], user, words)


class StatePanel(_BarPanel):
    """The state that a migration must carry after one event; the part that no migration carries is black."""

    def view(self) -> View:
        """Return the bars of bytes on the wire, and the table of entries."""
        runs = self.runs()
        bars = []
        for one, run in runs:
            total = sum(entry.wire_bytes for entry in run.state)
            lost = sum(entry.wire_bytes for entry in run.state if not entry.carried)
            words = f"{total} ({lost} not carried)" if lost else str(total)
            bars.append(Bar(one.label, total - lost, lost, words))
        unit = "migration state on the wire (bytes); black: not carried"
        return View(as_text(self._table(runs)), self.bars.draw(bars, self.title("State"), unit))

    def _table(self, runs: Sequence[tuple[Variant, Measured]]) -> Table:
        names = ("protocol", "entry", "count", "wire", "carried by")
        rows: list[list[Cell]] = [
            [one.label, kind.name, kind.copies, kind.wire, kind.interface if kind.carried else "nothing"]
            for one, run in runs
            for kind in entry_kinds(run.state)
        ]
        notes = ["wire: bytes of one entry in the VMM's stream."]
        return Table("", [Column(name) for name in names], rows, labels=2, notes=notes if rows else ["No state."])
