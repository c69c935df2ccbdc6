"""The steps of events that concern one vCPU, and how a run of them is split into turns of one vCPU each.

They answer nothing. Each is a function of a machine and a protocol, so that it can be carried out by one vCPU on
the machine itself, or by many on a machine that stands for them (``lanes_machine``).
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter
from types import MethodType
from typing import Any

from workbench.core.contracts import Protocol
from workbench.core.driver import guest_side, host_side
from workbench.core.event_steps import Enter, Init, Start, Stop, Wait
from workbench.core.machine import Machine
from workbench.core.steps import Program

#: The steps of one vCPU that come together.
Turn = list[Any]


def start(machine: Machine, protocol: Protocol, step: Start) -> None:
    """The vCPU runs a guest program to its end."""
    program = step.program(machine.cpus[step.cpu])
    machine.run(step.cpu, guest_side(protocol, program, cpl=step.cpl))


def enter(machine: Machine, protocol: Protocol, step: Enter) -> None:
    """The host delivers what is due."""
    cpu = machine.cpus[step.cpu]
    if cpu.host.knows_protocol:
        machine.run(step.cpu, host_side(protocol.on_entry(cpu)))


def init(machine: Machine, protocol: Protocol, step: Init) -> None:
    """The host resets what the protocol says."""
    cpu = machine.cpus[step.cpu]
    if cpu.host.knows_protocol:
        machine.run(step.cpu, host_side(protocol.on_init(cpu)))


def nothing(machine: Machine, protocol: Protocol, step: Wait | Stop) -> None:
    """In a schedule without concurrency a program has ended by the time the next step is taken."""


VCPU_STEPS: dict[type, Callable[[Machine, Protocol, Any], None]] = {
    Start: start,
    Enter: enter,
    Init: init,
    Wait: nothing,
    Stop: nothing,
}


def read_ahead(event_program: Program, step: Any) -> tuple[list[Any], Any]:
    """Return the steps of vCPUs from ``step`` on, and the first other step (None at the end)."""
    run = [step]
    for step in event_program:
        if type(step) not in VCPU_STEPS:
            return run, step
        run.append(step)
    return run, None


def alike(run: list[Any]) -> Iterator[list[Turn]]:
    """Split a run of steps into turns, and yield those of consecutive vCPUs that are alike together."""
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
    """Python calls methods equal only if they are of one object; here they are if the objects are equal."""
    return (
        isinstance(one, MethodType)
        and isinstance(two, MethodType)
        and one.__func__ is two.__func__
        and bool(one.__self__ == two.__self__)
    )
