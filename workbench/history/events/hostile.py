"""Guests that boot, and then register an invalid address or feature; and one with an address above 4 GiB."""

from collections.abc import Iterator

from workbench.core.contracts import Feature
from workbench.core.event_steps import AddMemslot, Enter, Wait
from workbench.core.memory import GPA_LIMIT, PAGE_SIZE
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import ENDED, boot_all, enter_all, of_its_own
from workbench.lifecycle.hostile import (
    Hostile,
    HostileBadBase,
    HostileKernel,
    HostilePageCrossing,
    HostileUnaligned,
    renamed,
)
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.migrate import move
from workbench.lifecycle.scratch import target

HIGH_MEMORY = 1 << 32


class ThenHostile(Hostile):
    """Every vCPU boots; then vCPU 0 registers each of its features at an address chosen by the event."""

    def setup(self, scenario: Scenario) -> Program:
        """Every vCPU boots."""
        yield from boot_all(scenario)

    def happen(self, scenario: Scenario) -> Program:
        yield from of_its_own(0, HostileKernel(scenario, event=self).attack)
        yield Wait(0)
        yield Enter(0)


class BadBase(ThenHostile, HostileBadBase):
    """An address without memory."""

    name = "then-bad-base"
    title = "registered again outside RAM"


class Unaligned(ThenHostile, HostileUnaligned):
    """An address two bytes off."""

    name = "then-unaligned"
    title = "registered again unaligned"


class EndOfRam(ThenHostile):
    """An area half in the last page of memory, half beyond it."""

    name = "then-end-of-ram"
    title = "registered again across the end of RAM"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the gpa half an area before the end of memory."""
        return scenario.addresses.memslot(2) - feature.size // 2


class AcrossAPage(ThenHostile, HostilePageCrossing):
    """An area with one half on each of two pages of RAM."""

    name = "then-across-a-page"
    title = "registered again across a page"


class Wrapping(ThenHostile):
    """An area half below 2^64, half at 0."""

    name = "then-wrapping"
    title = "registered again across 2^64"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the gpa half an area before the end of the address space."""
        return GPA_LIMIT - feature.size // 2


class UnknownIndex(ThenHostile):
    """A feature for which the host's table has no slot."""

    name = "then-unknown-index"
    title = "registered with an index out of range"

    def targets(self, scenario: Scenario, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield the first feature under an unknown name."""
        for feature in LinuxKernel(scenario).at_boot(cpu):
            yield renamed(feature, "unknown"), target(0)


class BadBaseThenMigration(BadBase):
    """A registration outside RAM, and a migration after it."""

    name = "bad-base-then-migration"
    title = "registered outside RAM, then migrated"
    restores = True

    def happen(self, scenario: Scenario) -> Program:
        yield from super().happen(scenario)
        if (yield from move(scenario)) is ENDED:
            return ENDED
        yield from enter_all(scenario)
        return None


class HighMemory(Hostile):
    """An area above 4 GiB, where there is memory: valid, but a 32-bit host must handle the high bits."""

    name = "high-memory"
    title = "area above 4 GiB"

    def happen(self, scenario: Scenario) -> Program:
        yield AddMemslot(HIGH_MEMORY, PAGE_SIZE)
        yield from super().happen(scenario)

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the first gpa above 4 GiB."""
        return HIGH_MEMORY
