"""The widgets of the notebooks. Each is a panel that shows its result as text where there is no browser."""

from workbench.present.widgets_bars import ExitsPanel, StatePanel
from workbench.present.widgets_panel import Panel, View
from workbench.present.widgets_registers import RegisterPanel
from workbench.present.widgets_steps import StepsPanel

__all__ = ["ExitsPanel", "Panel", "RegisterPanel", "StatePanel", "StepsPanel", "View"]
