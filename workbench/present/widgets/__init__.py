"""The widgets of the notebooks. Each is a panel that shows its result as text if there is no browser."""

from workbench.present.widgets.bars import ExitsPanel, StatePanel
from workbench.present.widgets.panel import Panel, View
from workbench.present.widgets.registers import RegisterPanel
from workbench.present.widgets.steps import StepsPanel

__all__ = ["ExitsPanel", "Panel", "RegisterPanel", "StatePanel", "StepsPanel", "View"]
