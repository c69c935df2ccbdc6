"""Checks a design of a user's own before it is compared: its text, its runs, single operations by hand.

``check`` gives a :class:`Report` of lines, each PASS, FAIL or SKIP with a reason. A FAIL is a fault of the file, or a
property of the design that its author should know of; the matrix then shows when it matters.
"""

from workbench.measure.design_check.check import Report, check
from workbench.measure.design_check.line import FAIL, PASS, SKIP, Line

__all__ = ["FAIL", "PASS", "SKIP", "Line", "Report", "check"]
