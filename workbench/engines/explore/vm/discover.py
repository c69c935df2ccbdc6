"""Exploring a machine: first some walks to learn which memory and entries there are, then the search itself.

Every variable must be there from the beginning, because a step that forgets everything must know all there is, and
memory must be cut as finely as any access asks. The walks find nearly all of it in a few thousand steps;
what they miss ends the search, which begins again (:class:`Finer`).
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from workbench.engines.explore.api import explore
from workbench.engines.explore.model import Model
from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.reference import applied
from workbench.engines.explore.result import Result
from workbench.engines.explore.space import Action, Space
from workbench.engines.explore.symmetry.representatives import SymmetryError
from workbench.engines.explore.vm.cells import Finer, MemoryCell
from workbench.engines.explore.vm.model import Bounds, MachineModel
from workbench.engines.explore.vm.symmetry.interchange import Interchange, attempts
from workbench.errors import WorkbenchError

Answer = TypeVar("Answer")

WALKS = 3
#: How often everything may happen during a walk: it shall come everywhere.
MANY = 50
LONGEST_WALK = 10_000
MOST_RESTARTS = 1000


def explore_machine(machine: MachineModel, *, symmetry: bool = False, **options: Any) -> Result:
    """Explore, beginning again whenever the model learns that its variables must be finer.

    With ``symmetry``, states that differ by exchanging vCPUs are merged; ``machine.merging`` says which vCPUs. What is
    found not to be symmetric is explored with fewer of them, or with none.
    """
    if symmetry:
        learn(machine, range(WALKS))
        for members in attempts(machine):
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


def settled(machine: MachineModel, work: Callable[[Model], Answer]) -> Answer:
    """Do some work on the model, beginning again whenever it learns that its variables must be finer."""
    learn(machine, range(WALKS))
    for restart in range(MOST_RESTARTS):
        try:
            return work(machine.model())
        except Finer:
            learn(machine, [WALKS + restart])
    raise WorkbenchError(f"the memory under event {machine.event.name} cannot be cut finely enough")


def learn(machine: MachineModel, seeds: Iterable[int]) -> None:
    """Walk through the model along different schedules and note the memory and the entries that are met."""
    bounds = machine.bounds
    machine.bounds = Bounds(bounds.updates and MANY, bounds.reads and MANY)
    with machine.cells.learning():
        for seed in seeds:
            if not walk(machine, seed):
                break  # a program that may never end: the search will say so
    machine.bounds = bounds


def walk(machine: MachineModel, seed: int) -> bool:
    """Take one schedule to its end: seeds 0 and 1 prefer one actor over the next, the others draw lots.

    Returns False if it was given up before.
    """
    space = Space(machine.model(), merging=False)
    choice = random.Random(seed)
    state = space.initial()
    ended = False
    order: Sequence[Action] = space.actions if seed != 1 else space.actions[::-1]
    for _ in range(LONGEST_WALK):
        if seed > 1:
            order = choice.sample(space.actions, len(space.actions))
        for action in order:
            effect = action.effect(state)
            if effect.enabled:
                state = applied(space, effect, state)
                break
        else:
            ended = True
            break
    for predicate in space.predicates:
        predicate.effect(state)
    machine.met.update(dict.fromkeys(name for name in space.names if not isinstance(name, SlotVar | MemoryCell)))
    return ended
