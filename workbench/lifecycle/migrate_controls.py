"""Live migration of a guest that has set the values that no boot sets: it polls for itself, and allows migration.

QEMU carries POLL_CONTROL in a section of its own (target/i386/machine.c, ``cpu/poll_control_msr``); under a VMM
that does not, guest and host both poll after a migration.
"""

from workbench.core.event_steps import GuestCall, Start
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import ENDED, enter_all, of_its_own
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.migrate import Migration, move
from workbench.lifecycle.suspend import PollingKernel


class MigratePolling(Migration):
    """Every vCPU has told the host not to poll; vCPU 0 allows migration, then the machine moves."""

    name = "migrate-polling"
    title = "migration, guest polls itself"

    def setup(self, scenario: Scenario) -> Program:
        """Every vCPU boots and polls for itself."""
        kernel = PollingKernel(scenario)
        for cpu in range(scenario.vcpus):
            yield Start(cpu, kernel.boot)

    def happen(self, scenario: Scenario) -> Program:
        kernel = LinuxKernel(scenario)
        feature = kernel.named("migration_control")
        if feature is not None:
            yield from of_its_own(0, GuestCall(kernel.set_value, (feature,)))
        if (yield from move(scenario)) is ENDED:
            return ENDED
        yield from enter_all(scenario)
        return None
