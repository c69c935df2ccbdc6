"""A whole virtual machine as a model for the explorer: protocol, features, event, every interleaving."""

from workbench.engines.explore.vm.model import Bounds, MachineModel, explore_machine

__all__ = ["Bounds", "MachineModel", "explore_machine"]
