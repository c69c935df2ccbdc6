"""Views for a browser, each with its data inside: in a notebook, in a saved notebook, and in a file of its own.

from workbench.present.web import trace
trace("generic", "descriptor-race", ["wall_clock"], failure="double-fetch")
"""

from workbench.present.web.comparison import comparison
from workbench.present.web.failure_map import failure_map
from workbench.present.web.traces import side_by_side, trace
from workbench.present.web.view import View, page

__all__ = ["View", "comparison", "failure_map", "page", "side_by_side", "trace"]
