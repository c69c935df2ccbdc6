"""A panel that shows one operation of a protocol step by step; protocol and feature can be the reader's own."""

from __future__ import annotations

import ipywidgets as W  # noqa: N812

from workbench.core.own_files import EXAMPLE
from workbench.errors import unknown
from workbench.features import FEATURES, choose_one
from workbench.present.web import View, operation
from workbench.present.web.operations import OPERATIONS
from workbench.present.widgets.choosers import dropdown, typed
from workbench.present.widgets.panel import Panel
from workbench.protocols import PROTOCOLS


class OperationPanel(Panel):
    """The steps of ``what`` (register, update, read, unregister) for ``feature`` under ``protocol``."""

    def __init__(self, protocol: str = "generic", feature: str = "kvmclock", what: str = "register") -> None:
        choose_one(feature)
        if what not in OPERATIONS:
            raise unknown("operation", what, OPERATIONS)
        self.controls = {
            "protocol": typed("Protocol", list(PROTOCOLS), protocol, f"a name, or {EXAMPLE}"),
            "feature": typed("Feature", list(FEATURES), feature, f"a name, or {EXAMPLE}"),
            "what": dropdown("Operation", list(OPERATIONS), what),
        }
        self.start(W.HBox(list(self.controls.values())))

    def view(self) -> View:
        """Return the steps."""
        asked = {name: control.value for name, control in self.controls.items()}
        return operation(**asked)
