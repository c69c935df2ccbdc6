"""Live migration whose stream is not put back as it was saved: in another order, or with another address in it.

Two rules of a restore are tried here. What is restored must not depend on the order: POWER's dispatch trace log is
refused where the VPA is not there yet, and QEMU once wrote ASYNC_PF_EN before ASYNC_PF_INT, with the other's value
("target/i386: Fix VM migration when interrupt based APF is enabled", September 2020). And a restore must check as
much as the guest's own call: RISC-V's did not until fa9681ed5c6a (2026), and a stream may be damaged or hostile.

The changes are made to the items that a protocol's ``save`` returns, of which nothing is known but what
``workbench.core.contracts`` says: a number in one of the guest's areas is that area's address.
"""

from collections.abc import Callable
from typing import Any

from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.memory import GPA_LIMIT
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.migrate import Migration, restore_on

#: Where an area that the stream names is said to be instead.
Elsewhere = Callable[[Scenario, Unit], int]


def restore_reversed(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: put back what was saved last first, the last vCPU's before the first's."""
    return restore_on(scenario, saved[::-1])


def restore_behind_ram(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: put back a stream in which the last address is one where no memory is."""
    return restore_on(scenario, displaced(scenario, saved, behind_ram))


def restore_wrapping(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: put back a stream in which the last area ends behind 2^64."""
    return restore_on(scenario, displaced(scenario, saved, wrapping))


def behind_ram(scenario: Scenario, unit: Unit) -> int:
    """Return the gpa at which the last memslot ends."""
    return scenario.addresses.memslot(2)


def wrapping(scenario: Scenario, unit: Unit) -> int:
    """Return the gpa half of the area's size before 2^64."""
    return GPA_LIMIT - scenario.addresses.size(unit.what) // 2


def displaced(scenario: Scenario, saved: tuple[Any, ...], elsewhere: Elsewhere) -> tuple[Any, ...]:
    """Return ``saved`` with the last item that names an area changed: it names ``elsewhere``."""
    for at in reversed(range(len(saved))):
        changed = _moved(scenario, saved[at], elsewhere)
        if changed != saved[at]:
            return (*saved[:at], changed, *saved[at + 1 :])
    return saved


def _moved(scenario: Scenario, item: Any, elsewhere: Elsewhere) -> Any:
    if type(item) is tuple:
        return tuple(_moved(scenario, part, elsewhere) for part in item)
    unit = scenario.unit_at(item) if type(item) is int else None
    if unit is None or unit.what == DESCRIPTOR:
        return item
    return elsewhere(scenario, unit) + item - scenario.addresses.gpa(unit)  # what is left are control bits


class MigrateReordered(Migration):
    """Another VMM than the one that saved: it keeps the items, and not their order."""

    name = "migrate-reordered"
    title = "migration, restored in reverse"
    restore = staticmethod(restore_reversed)


class MigrateDamaged(Migration):
    """One saved address names memory that is not there."""

    name = "migrate-damaged"
    title = "migration, an address behind RAM"
    restore = staticmethod(restore_behind_ram)


class MigrateWrapping(Migration):
    """One saved area goes round 2^64."""

    name = "migrate-wrapping"
    title = "migration, an area that wraps"
    restore = staticmethod(restore_wrapping)
