"""Migrations that trigger historical bugs."""

from dataclasses import replace
from typing import Any

from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.lifecycle.migrate import Migrate, Migration, restore_on


def restore_changed(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: restore a stream in which every address is two bytes off."""
    return restore_on(scenario, tuple((owner, number, value + 2) for owner, number, value in saved))


class ChangedStream(Migration):
    """The VMM restores addresses two bytes off from those saved, from a stream that was changed or forged."""

    name = "changed-stream"
    title = "migration, addresses changed on the way"
    restore = staticmethod(restore_changed)


class MigrateHiddenClock(Migrate):
    """A migration of a guest whose CPUID does not offer kvmclock."""

    name = "migrate-hidden-clock"
    title = "migration, kvmclock hidden"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest without the CPUID bits of kvmclock."""
        return replace(scenario, cpuid=KVM_SUPPORTED - {0, 3})
