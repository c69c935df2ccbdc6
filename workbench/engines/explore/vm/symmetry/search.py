"""The search over a machine of which some vCPUs are exchanged: the most promising set of vCPUs first."""

from __future__ import annotations

from typing import Any

from workbench.engines.explore.api import explore
from workbench.engines.explore.model import Model, SymmetryError
from workbench.engines.explore.result import Result
from workbench.engines.explore.vm.discover import WALKS, learn, settled
from workbench.engines.explore.vm.model import MachineModel
from workbench.engines.explore.vm.symmetry.interchange import Interchange, attempts
from workbench.engines.explore.vm.symmetry.marks import Marks


def explore_exchanging(machine: MachineModel, options: dict[str, Any]) -> Result | None:
    """Explore ``machine`` with as many vCPUs exchanged as can be; None if none can be.

    ``options`` are those of ``explore``; ``machine.merging`` says which vCPUs were exchanged, and why others were not.
    """
    marks = Marks(machine.scenario.vcpus)
    machine.noting = marks.noting
    learn(machine, range(WALKS))
    for members in attempts(machine, marks):
        try:
            return _merged(machine, members, options)
        except SymmetryError as error:
            vcpus = ", ".join(map(str, members))
            machine.merging.reasons.append(f"vCPUs {vcpus} are not interchangeable: {error.why}")
    return None


def _merged(machine: MachineModel, members: tuple[int, ...], options: dict[str, Any]) -> Result:
    """Explore with these vCPUs as interchangeable ones. Raises SymmetryError if they are not."""
    interchange = Interchange(machine, members)

    def merging(model: Model) -> Result:
        interchange.mirror()
        return explore(interchange.applied(machine.model()), symmetry=True, **options)

    result = settled(machine, merging)
    machine.merging.cpus = members
    return result
