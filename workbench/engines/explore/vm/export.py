"""Exports a completely explored machine as Promela text or as a state graph.

Source: ``workbench.engines.explore.export.promela``, ``workbench.engines.explore.export.graph``.
"""

from workbench.engines.explore.api import explore_and_export
from workbench.engines.explore.export.graph import MAX_STATES, GraphEdge, GraphNode, graph
from workbench.engines.explore.result import Result
from workbench.engines.explore.vm.discover import settled
from workbench.engines.explore.vm.model import MachineModel


def machine_promela(machine: MachineModel, max_states: int | None = None) -> tuple[Result, str]:
    """Explore a machine completely; return the result and its model as Promela text.

    Raises WorkbenchError if `max_states` does not suffice.
    """
    return settled(machine, lambda model: explore_and_export(model, max_states=max_states))


def machine_graph(machine: MachineModel, max_states: int = MAX_STATES) -> tuple[list[GraphNode], list[GraphEdge]]:
    """All reachable states and steps of a machine. Raises WorkbenchError beyond `max_states`."""
    return settled(machine, lambda model: graph(model, max_states))
