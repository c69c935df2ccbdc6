"""A whole virtual machine as a model for the explorer: protocol, features, event, every interleaving."""

from workbench.engines.explore.vm.discover import explore_machine
from workbench.engines.explore.vm.export import machine_graph, machine_promela
from workbench.engines.explore.vm.facts import ViewFacts, asking
from workbench.engines.explore.vm.model import Bounds, MachineModel
from workbench.engines.explore.vm.symmetry.marks import Merging

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
