"""What a lifecycle event is: a guest that has booted, and something that happens to it.

``happen`` is a generator of the steps in ``workbench.core.event_steps``. The simulator lets the guest boot first and
then measures what the event costs and does; the explorer lets it happen at any time.
"""

from collections.abc import Callable, Iterable

from workbench.core.contracts.event import Event
from workbench.core.event_steps import Each, Enter, GuestProgram, Start, Wait, each
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.linux import LinuxKernel


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
    """Return the step in which each of ``cpus`` starts its program.

    In any order: what they start runs side by side, and a vCPU that was started and has not moved is like one that
    has not been started. An order would forbid nothing, and tell alike vCPUs apart (docs/decisions/0004).
    """
    return each(cpus, lambda cpu: Start(cpu, program(cpu)))


def of_its_own(cpu: int, program: GuestProgram) -> Program:
    """Run ``program`` on vCPU ``cpu`` when that has finished what it does: not interrupted, as by a crash or INIT."""
    yield Wait(cpu)
    yield Start(cpu, program)


def enter_all(scenario: Scenario) -> Program:
    """Every vCPU enters the guest once: the host delivers what is due.

    In any order: each vCPU is a thread of the VMM, and the scheduler of the host runs them as it likes.
    """
    yield each(range(scenario.vcpus), Enter)
