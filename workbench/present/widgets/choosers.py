"""Controls that several panels share: protocols, features, events.

Each has a ``value``, which a panel takes as the argument of the control's name, and ipywidgets' ``observe``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as W  # noqa: N812
import traitlets

from workbench.core import own_files
from workbench.core.own_files import EXAMPLE
from workbench.features import FEATURES
from workbench.protocols import FIRST

NARROW = {"description_width": "70px"}


class Checks(W.VBox):
    """Checkboxes for names, and a text line for further names. ``value``: the chosen names, in order."""

    value = traitlets.Tuple()

    def __init__(self, title: str, names: Sequence[str], chosen: Sequence[str], others: str = "") -> None:
        self.boxes = {name: W.Checkbox(name in chosen, description=name, indent=False) for name in names}
        more = ",".join(name for name in chosen if name not in names)
        self.others = W.Text(more, placeholder=others, continuous_update=False, layout={"width": "95%"})
        for box in self.boxes.values():
            box.layout.width = "max-content"
        head = W.HTML(f"<b>{title}</b>", layout={"width": "74px"})
        ticks = W.Box([head, *self.boxes.values()], layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})
        lines = [ticks, *([self.others] if others else [])]
        super().__init__(lines, value=tuple(chosen))
        self._telling = False
        for control in (*self.boxes.values(), self.others):
            control.observe(self._ticked, names="value")
        self.observe(self._told, names="value")

    def _ticked(self, _change: Any) -> None:
        if self._telling:
            return
        named = [name for name in own_files.split(self.others.value, ",") if name]
        self.value = tuple([name for name, box in self.boxes.items() if box.value] + named)

    def _told(self, change: Any) -> None:
        """Show a value that was set from Python."""
        self._telling = True  # setting the boxes below must not set ``value`` again
        try:
            self.others.value = ",".join(name for name in change["new"] if name not in self.boxes)
            for name, box in self.boxes.items():
                box.value = name in change["new"]
        finally:
            self._telling = False


def protocols(chosen: Sequence[str]) -> Checks:
    """Return a chooser of protocols; others, also from a file, can be typed."""
    return Checks("Protocols", list(FIRST), chosen, "others: generic+carry-registry, path/to/file.py:Class")


def features(chosen: Sequence[str] | None) -> Checks:
    """Return a chooser of features, of which others can be typed; None ticks all."""
    return Checks("Features", list(FEATURES), list(FEATURES) if chosen is None else chosen, f"others: {EXAMPLE}")


def events(chosen: str) -> W.Text:
    """Return a line for the names of lifecycle events, separated by commas."""
    return W.Text(
        chosen, description="Events", placeholder=f"names, all, A+B, or {EXAMPLE}", continuous_update=False,
        style=NARROW, layout={"width": "95%"},
    )  # fmt: skip


def typed(title: str, options: Sequence[str], chosen: str, hint: str) -> W.Combobox:
    """Return a text line that offers ``options`` and accepts other texts, aligned with the sliders."""
    return W.Combobox(
        value=chosen, options=list(options), description=title, placeholder=hint, continuous_update=False,
        style=NARROW, layout={"width": "320px"},
    )  # fmt: skip


def dropdown(title: str, options: Sequence[Any], chosen: Any) -> W.Dropdown:
    """Return a dropdown that is aligned with the sliders."""
    return W.Dropdown(options=options, value=chosen, description=title, style=NARROW, layout={"width": "320px"})
