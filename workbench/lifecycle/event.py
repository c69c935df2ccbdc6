"""Base classes of lifecycle events, and the steps that many events share.

``happen`` is a generator of the steps in ``workbench.core.event_steps``. The simulator lets the guest boot first and
then measures the event's costs and effects; the explorer lets the event happen at any time.
"""

from collections.abc import Callable, Iterable

from workbench.core.contracts.event import Event
from workbench.core.event_steps import Each, Enter, GuestProgram, Start, Wait, each
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.linux import LinuxKernel

#: What an event returns in which the machine has ended: nothing can follow it.
ENDED = "the machine has ended"


class AfterBoot(Event):
    """An event that happens to a guest that has booted."""

    def setup(self, scenario: Scenario) -> Program:
        """Every vCPU boots."""
        yield from boot_all(scenario)


class AtBoot(Event):
    """An event that is itself a boot, under another configuration: nothing comes before it."""

    def happen(self, scenario: Scenario) -> Program:
        """Every vCPU boots and enters the guest."""
        yield starting(range(scenario.vcpus), lambda cpu: self.coming_up(scenario, cpu))
        yield from enter_all(scenario)

    def coming_up(self, scenario: Scenario, cpu: int) -> GuestProgram:
        """Return what vCPU ``cpu`` runs when it comes up. Default: Linux."""
        return LinuxKernel(scenario).boot


def boot_all(scenario: Scenario, without: int | None = None) -> Program:
    """Every vCPU boots, except one if it is named."""
    kernel = LinuxKernel(scenario)
    yield starting([cpu for cpu in range(scenario.vcpus) if cpu != without], lambda cpu: kernel.boot)


def starting(cpus: Iterable[int], program: Callable[[int], GuestProgram]) -> Each:
    """Return the step in which each of ``cpus`` starts its program, in any order.

    The programs run concurrently, and a vCPU that has started but taken no step is like one that has not started. A
    fixed order would exclude no behaviour, but would distinguish equal vCPUs (docs/decisions/0004).
    """
    return each(cpus, lambda cpu: Start(cpu, program(cpu)))


def of_its_own(cpu: int, program: GuestProgram) -> Program:
    """Run ``program`` on vCPU ``cpu`` after its current program has finished, without interrupting it."""
    yield Wait(cpu)
    yield Start(cpu, program)


def enter_all(scenario: Scenario) -> Program:
    """Every vCPU enters the guest once, and the host delivers due updates.

    In any order: each vCPU is a thread of the VMM, and the host's scheduler may run the threads in any order.
    """
    yield each(range(scenario.vcpus), Enter)
