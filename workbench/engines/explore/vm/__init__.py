"""Explores a virtual machine: turns a protocol, features and an event into a model for the explorer."""

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
