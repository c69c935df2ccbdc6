"""A panel that compares designs of the reader's own: protocols, features and events are typed or ticked."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as W  # noqa: N812

from workbench.core import own_files
from workbench.measure.variants import DEFAULT
from workbench.present.web import View, comparison
from workbench.present.widgets import choosers
from workbench.present.widgets.panel import Panel

EVENTS = ("boot", "kexec", "migrate", "old-host")


class ComparisonPanel(Panel):
    """Exits, state, fates and costs of ``protocols`` under ``events``; the rest is chosen in the view."""

    def __init__(
        self, protocols: Sequence[str] = DEFAULT, events: str = ",".join(EVENTS), features: Sequence[str] | None = None
    ) -> None:
        self.controls = {
            "protocols": choosers.protocols(protocols),
            "events": choosers.events(events),
            "features": choosers.features(features),
        }
        self.start(W.VBox(list(self.controls.values())))

    def view(self) -> View:
        """Return the comparison, for all ticked features together."""
        asked = {name: control.value for name, control in self.controls.items()}
        events = [name for name in own_files.split(asked["events"], ",") if name]
        return comparison(asked["protocols"], events, asked["features"], each_feature=False)
