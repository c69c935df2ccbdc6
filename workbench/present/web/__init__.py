"""Views for a browser, each with its data inside: in a notebook, in a saved notebook, and in a file of its own.

from workbench.present.web import trace
trace("generic", "descriptor-race", ["wall_clock"], failure="double-fetch")
"""

from workbench.present.web.comparison import comparison
from workbench.present.web.failure_map import failure_map
from workbench.present.web.operations import operation
from workbench.present.web.replays import replayed
from workbench.present.web.skews import version_skew
from workbench.present.web.traces import beside, finding, findings, side_by_side, trace
from workbench.present.web.verdicts import verdict_page
from workbench.present.web.view import View, page
from workbench.present.web.word_tables import recorded, register_map, register_writes, simulated_and_measured

__all__ = [
    "View",
    "beside",
    "comparison",
    "failure_map",
    "finding",
    "findings",
    "operation",
    "page",
    "recorded",
    "register_map",
    "register_writes",
    "replayed",
    "side_by_side",
    "simulated_and_measured",
    "trace",
    "verdict_page",
    "version_skew",
]
