"""Explores a machine: its memory is discovered first, then its states are searched, with or without symmetry."""

from typing import Any

from workbench.core.rules.unchanged import unchanged
from workbench.engines.explore.api import explore
from workbench.engines.explore.result import Result
from workbench.engines.explore.vm.discover import settled
from workbench.engines.explore.vm.model import MachineModel
from workbench.engines.explore.vm.symmetry import explore_exchanging


def explore_machine(machine: MachineModel, *, symmetry: bool = False, **options: Any) -> Result:
    """Explore a machine; restart whenever new variables or finer memory cells are found.

    With ``symmetry``, states that differ by exchanging vCPUs are merged; ``machine.merging`` says which vCPUs. Where
    not all vCPUs are alike, fewer are exchanged, or none. ``options`` are those of ``explore``.
    """
    with unchanged(machine.protocol):
        merged = explore_exchanging(machine, options) if symmetry else None
        return merged or settled(machine, lambda model: explore(model, **options))
