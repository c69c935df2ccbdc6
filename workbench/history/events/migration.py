"""Migrations in which a bug showed itself."""

from dataclasses import replace

from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.core.vmsteps import Later, NewHost, OnHost, Pause, Resume
from workbench.lifecycle.event import Event, enter_all
from workbench.lifecycle.migrate import Migrate, restore_on, save_on


class ChangedStream(Event):
    """The VMM, or who wrote its stream, restores addresses two bytes off from those that were saved."""

    name = "changed-stream"
    title = "migration, addresses changed on the way"

    def strike(self, scenario: Scenario) -> Program:
        yield Pause()
        saved = yield OnHost(0, Later(save_on, (scenario,)))
        yield NewHost()
        changed = tuple((owner, number, value + 2) for owner, number, value in saved)
        yield OnHost(0, Later(restore_on, (scenario, changed)))
        yield Resume()
        yield from enter_all(scenario)


class MigrateHiddenClock(Migrate):
    """A migration of a guest whose CPUID does not offer kvmclock."""

    name = "migrate-hidden-clock"
    title = "migration, kvmclock hidden"

    def circumstances(self, scenario: Scenario) -> Scenario:
        """The same guest without the CPUID bits of kvmclock."""
        return replace(scenario, cpuid=KVM_SUPPORTED - {0, 3})
