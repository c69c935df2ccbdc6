"""The widgets of the notebooks: panels, which show their result as text where there is no browser."""

from workbench.present.widgets.bars import ExitsPanel, StatePanel
from workbench.present.widgets.panel import Panel, View
from workbench.present.widgets.registers import RegisterPanel
from workbench.present.widgets.steps import StepsPanel

__all__ = ["ExitsPanel", "Panel", "RegisterPanel", "StatePanel", "StepsPanel", "View"]
