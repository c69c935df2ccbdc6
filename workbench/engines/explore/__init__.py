"""The explorer: visits every interleaving of generator programs and guarded rules, and counts states exactly.

Usable for any model, not only for protocols:

    >>> from workbench.engines.explore import Model, Property, Rule, explore
    >>> def tick(view):
    ...     view["n"] = (view["n"] + 1) % 3
    >>> model = Model(variables={"n": 0}, rules=[Rule("tick", tick)],
    ...               properties=[Property("P1", "n stays below 3", "always", lambda view: view["n"] < 3)])
    >>> explore(model).states
    3
"""

from workbench.engines.explore.api import explore, explore_and_export, to_promela
from workbench.engines.explore.export.graph import GraphEdge, GraphNode, Words, as_dot, as_graphml, graph
from workbench.engines.explore.export.spin import (
    SecondOpinion,
    SpinRun,
    crosscheck,
    run_spin,
    second_opinion,
    spin_version,
)
from workbench.engines.explore.model import BLOCKED, Model, Property, Rule, Symmetry
from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.positions.positions import Program
from workbench.engines.explore.result import (
    BOUNDED,
    BROKE_OFF,
    FAILS,
    HOLDS,
    NOT_EXERCISED,
    VERDICTS,
    Culprit,
    Finding,
    Result,
    gravest,
)
from workbench.engines.explore.search import Progress
from workbench.engines.explore.trace import Trace, TraceStep
from workbench.engines.explore.view import View

__all__ = [
    "BLOCKED",
    "BOUNDED",
    "BROKE_OFF",
    "FAILS",
    "HOLDS",
    "NOT_EXERCISED",
    "VERDICTS",
    "Culprit",
    "Finding",
    "GraphEdge",
    "GraphNode",
    "Model",
    "Program",
    "Progress",
    "Property",
    "Result",
    "Rule",
    "SecondOpinion",
    "SlotVar",
    "SpinRun",
    "Symmetry",
    "Trace",
    "TraceStep",
    "View",
    "Words",
    "as_dot",
    "as_graphml",
    "crosscheck",
    "explore",
    "explore_and_export",
    "graph",
    "gravest",
    "run_spin",
    "second_opinion",
    "spin_version",
    "to_promela",
]
