"""Splits the event steps that concern single vCPUs into turns, one vCPU each.

Under a schedule without concurrency these steps return nothing, so one turn can be carried out for one vCPU, or for
many at once on a machine that represents them (``workbench.engines.simulate.lanes``).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from types import MethodType
from typing import Any, Protocol

from workbench.core.event_steps import Enter, Init, Start, Stop, Wait
from workbench.core.machine import Machine
from workbench.core.steps import Program

#: Consecutive steps of one vCPU.
Turn = list[Any]


class ForEach(Protocol):
    """Performs the same action for consecutive vCPUs of a machine."""

    def __call__(self, cpus: Sequence[int], act: Callable[[Machine, Any], Any], *, looks: bool = False) -> list[Any]:
        """Return ``[act(machine, cpu) for cpu in cpus]``; ``looks``: ``act`` only reads the machine."""
        ...


def in_turn(machine: Machine) -> ForEach:
    """Return the plain loop over vCPUs of ``machine``."""
    return lambda cpus, act, looks=False: [act(machine, cpu) for cpu in cpus]


#: Steps that concern one vCPU and return nothing on any host.
VCPU_STEPS = frozenset({Start, Enter, Init, Wait, Stop})


def read_ahead(event_program: Program, step: Any) -> tuple[list[Any], Any]:
    """Return the steps of vCPUs from ``step`` on, and the first other step (None at the end)."""
    run = [step]
    for step in event_program:
        if type(step) not in VCPU_STEPS:
            return run, step
        run.append(step)
    return run, None


def alike(run: list[Any]) -> Iterator[list[Turn]]:
    """Split a run of steps into turns; yield equal turns of consecutive vCPUs as one group."""
    together: list[Turn] = []
    for cpu, steps in groupby(run, attrgetter("cpu")):
        turn = list(steps)
        if together and (cpu != together[-1][0].cpu + 1 or not _same_turn(together[0], turn)):
            yield together
            together = []
        together.append(turn)
    yield together


def _same_turn(one: Turn, two: Turn) -> bool:
    return len(one) == len(two) and all(map(_same_step, one, two))


def _same_step(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if type(one) is not Start:
        return True
    return one.cpl == two.cpl and (one.program == two.program or _same_method(one.program, two.program))


def _same_method(one: Any, two: Any) -> bool:
    """Compare methods of equal objects as equal; Python requires the same object."""
    return (
        isinstance(one, MethodType)
        and isinstance(two, MethodType)
        and one.__func__ is two.__func__
        and bool(one.__self__ == two.__self__)
    )
