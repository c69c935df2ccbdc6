"""The widgets of the notebooks. Each is a panel that shows its result also where there is no kernel."""

from workbench.present.widgets.comparison import ComparisonPanel
from workbench.present.widgets.operations import OperationPanel
from workbench.present.widgets.panel import Panel
from workbench.present.widgets.registers import RegisterPanel

__all__ = ["ComparisonPanel", "OperationPanel", "Panel", "RegisterPanel"]
