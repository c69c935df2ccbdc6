"""Drives payload programs one step at a time on a small machine, so that a test can check memory between two steps."""

from workbench.core.machine import Machine
from workbench.core.steps import GUEST, KERNEL, Moment, Side
from workbench.core.transition import perform
from workbench.core.vcpu import Vcpu

GPA = 0x1000


def moment(ns: int) -> Moment:
    """Return a point in time: a TSC of 2 GHz, a tenth of it not scheduled."""
    return Moment(ns, 2 * ns, ns // 10)


def world(content: bytes = b"", gpa: int = GPA) -> Machine:
    """Return a machine of two pages with ``content`` at ``gpa``."""
    machine = Machine([Vcpu(0)])
    machine.memory.add(0, 0x2000)
    if content:
        machine.memory.store(gpa, content)
    return machine


class Stepper:
    """One program on one side of a machine; ``result`` once it has ended."""

    def __init__(self, machine, program, side=KERNEL):
        self.machine, self.program, self.side = machine, program, side
        self.answer = self.result = None
        self.ended = False

    def step(self) -> bool:
        """Do one step; False when there was none left."""
        try:
            step = self.program.send(self.answer)
        except StopIteration as stop:
            self.ended, self.result = True, stop.value
            return False
        self.answer = perform(self.machine, 0, self.side, step)
        return True

    def finish(self):
        """Do all steps that are left; return the program's result."""
        while self.step():
            pass
        return self.result


def on_host(machine, program, side: Side = KERNEL):
    """Run a host program to its end."""
    return Stepper(machine, program, side).finish()


def in_guest(machine, program):
    """Run a guest program to its end."""
    return Stepper(machine, program, GUEST).finish()
