"""Discovers the memory and host entries of a machine by walks along a few schedules, before the search begins.

All variables must exist from the beginning: a step that clears all of the host's entries must know every one, and
memory must be cut as finely as any access needs. The walks find nearly all of them in a few thousand steps; if the
search meets one that they missed, it restarts (:class:`Finer`).
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from workbench.engines.explore.model import Model
from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.reference import applied
from workbench.engines.explore.space import Action, Space
from workbench.engines.explore.vm.cells import Finer, MemoryCell
from workbench.engines.explore.vm.model import Bounds, MachineModel
from workbench.errors import WorkbenchError

Answer = TypeVar("Answer")

WALKS = 3
#: How often each action of the environment may happen during a walk; high, so that the walk reaches everything.
MANY = 50
LONGEST_WALK = 10_000
MOST_RESTARTS = 1000


def settled(machine: MachineModel, work: Callable[[Model], Answer]) -> Answer:
    """Do some work on the model; start again whenever it finds new variables or finer cells."""
    learn(machine, range(WALKS))
    for restart in range(MOST_RESTARTS):
        try:
            return work(machine.model())
        except Finer:
            learn(machine, [WALKS + restart])
    raise WorkbenchError(f"event {machine.event.name}: new memory cells or names after {MOST_RESTARTS} restarts")


def learn(machine: MachineModel, seeds: Iterable[int]) -> None:
    """Walk through the model along different schedules; record the memory and the entries that are met."""
    bounds = machine.bounds
    machine.bounds = Bounds(bounds.updates and MANY, bounds.reads and MANY)
    with machine.cells.learning():
        for seed in seeds:
            if not walk(machine, seed):
                break  # a program that may never end: the search will say so
    machine.bounds = bounds


def walk(machine: MachineModel, seed: int) -> bool:
    """Follow one schedule to its end: seeds 0 and 1 give actors a fixed priority, other seeds choose at random.

    Returns False if the walk was cut off before its end.
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
            cuts = machine.cells.cuts
            effect = action.effect(state)
            if machine.cells.cuts != cuts:
                space.forget()
            if effect.enabled:
                state = applied(space, effect, state)
                break
        else:
            ended = True
            break
    for observer in space.observers:
        observer.effect(state)
    machine.met.update(dict.fromkeys(name for name in space.names if not isinstance(name, SlotVar | MemoryCell)))
    return ended
