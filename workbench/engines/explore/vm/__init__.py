"""A whole virtual machine as a model for the explorer: protocol, features, event, every interleaving."""

from workbench.engines.explore.vm.explore import explore_machine
from workbench.engines.explore.vm.export import machine_graph, machine_promela
from workbench.engines.explore.vm.machine import ViewFacts, asking
from workbench.engines.explore.vm.model import Bounds, MachineModel, Merging

__all__ = [
    "Bounds",
    "MachineModel",
    "Merging",
    "ViewFacts",
    "asking",
    "explore_machine",
    "machine_graph",
    "machine_promela",
]
