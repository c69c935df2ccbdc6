"""The simplest schedule: each program runs to its end before the next one starts.

Steps of lifecycle events act on :class:`OneByOne` under this schedule. It has no state of its own, so it can wrap
any machine, including one that represents many vCPUs (``lanes``).
"""

from typing import Any

from workbench.core.address_map import Unit
from workbench.core.driver import guest_side, host_side
from workbench.core.event_steps import OnHost, Start
from workbench.core.machine import Machine
from workbench.core.scenario import Scenario
from workbench.engines.simulate.on_machine import OnMachine


class OneByOne(OnMachine):
    """A machine on which no program is running when the next step of an event is taken."""

    def __init__(self, machine: Machine, scenario: Scenario) -> None:
        self.machine = machine
        self.scenario = scenario
        self.protocol = scenario.protocol

    def at_boundary(self, cpu: int) -> bool:
        return True

    def has_finished(self, cpu: int) -> bool:
        return True

    def begin(self, step: Start) -> None:
        """Run the program to its end."""
        program = step.program(self.machine.cpus[step.cpu])
        self.machine.run(step.cpu, guest_side(self.protocol, program, cpl=step.cpl))

    def halt(self, cpu: int, *, for_good: bool) -> None:
        """Do nothing: the vCPU's program has already ended."""

    def enter(self, cpu: int) -> None:
        self.machine.counts["vm_entries"] += 1
        self.machine.run(cpu, host_side(self.protocol.on_entry(self.machine.cpus[cpu])))

    def reset(self, cpu: int) -> None:
        record = self.machine.cpus[cpu]
        if record.host.knows_protocol:
            self.machine.run(cpu, host_side(self.protocol.on_init(record)))

    def pause(self) -> None:
        """Do nothing: no vCPU is running."""

    def resume(self) -> None:
        """Do nothing: no vCPU was stopped."""

    def on_host(self, step: OnHost) -> Any:
        return self.machine.run(step.cpu, step.program())

    def leave_host(self) -> None:
        self.machine.entries.clear()
        self.machine.memory.uncover_all()

    def end(self) -> None:
        self.leave_host()

    def memory_arrived(self, lost: list[int], host_wrote: bool) -> None:
        """Do nothing; ``Simulation`` overrides this to record what is lost."""

    def reassign(self, unit: Unit) -> None:
        """Do nothing; ``Simulation`` overrides this to detect writes to reassigned memory."""
