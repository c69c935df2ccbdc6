"""Exploring a machine: it is discovered first, then searched, with or without exchanging vCPUs."""

from typing import Any

from workbench.engines.explore.api import explore
from workbench.engines.explore.model import Model, SymmetryError
from workbench.engines.explore.result import Result
from workbench.engines.explore.vm.discover import WALKS, learn, settled
from workbench.engines.explore.vm.model import MachineModel
from workbench.engines.explore.vm.symmetry.interchange import Interchange, attempts
from workbench.engines.explore.vm.symmetry.marks import Marks


def explore_machine(machine: MachineModel, *, symmetry: bool = False, **options: Any) -> Result:
    """Explore, beginning again whenever the model learns that its variables must be finer.

    With ``symmetry``, states that differ by exchanging vCPUs are merged; ``machine.merging`` says which vCPUs. What is
    found not to be symmetric is explored with fewer of them, or with none.
    """
    if symmetry:
        marks = Marks(machine.scenario.vcpus)
        machine.noting = marks.noting
        learn(machine, range(WALKS))
        for members in attempts(machine, marks):
            try:
                return _merged(machine, members, options)
            except SymmetryError as error:
                machine.merging.reasons.append(f"{_listed(members)} are not interchangeable: {error.why}")
    return settled(machine, lambda model: explore(model, **options))


def _merged(machine: MachineModel, members: tuple[int, ...], options: dict[str, Any]) -> Result:
    """Explore with these vCPUs as interchangeable ones. Raises SymmetryError if they are not."""
    interchange = Interchange(machine, members)

    def merging(model: Model) -> Result:
        interchange.mirror()
        return explore(interchange.applied(machine.model()), symmetry=True, **options)

    result = settled(machine, merging)
    machine.merging.cpus = members
    return result


def _listed(cpus: tuple[int, ...]) -> str:
    return "vCPUs " + ", ".join(map(str, cpus))
