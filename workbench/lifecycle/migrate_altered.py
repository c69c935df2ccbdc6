"""Live migration with an altered stream: the items are restored in another order, or with a wrong address.

These events test two rules of a restore. The result must not depend on the order: POWER refuses the dispatch trace log
if the VPA is not registered yet, and QEMU once wrote ASYNC_PF_EN before ASYNC_PF_INT, with the other's value
("target/i386: Fix VM migration when interrupt based APF is enabled", September 2020). And a restore must check as
much as the guest's own call: RISC-V's did not until fa9681ed5c6a (2026), and a stream may be damaged or hostile.

The items that a protocol's ``save`` returns are altered. The only thing known about them is stated in
``workbench.core.contracts``: a number that lies in one of the guest's areas is the address of that area.
"""

from collections.abc import Callable
from typing import Any

from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.memory import GPA_LIMIT
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.migrate import Migration, restore_on

#: A function that returns the wrong address to put into the stream for an area.
Elsewhere = Callable[[Scenario, Unit], int]


def restore_reversed(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: restore the items in reverse order, so those of the last vCPU come first."""
    return restore_on(scenario, saved[::-1])


def restore_behind_ram(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: restore a stream in which the first address points after the end of memory, and the others follow."""
    return restore_on(scenario, displaced(scenario, saved, behind_ram, first=True))


def restore_wrapping(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: restore a stream in which the last area ends after 2^64."""
    return restore_on(scenario, displaced(scenario, saved, wrapping))


def behind_ram(scenario: Scenario, unit: Unit) -> int:
    """Return the gpa at which the last memslot ends."""
    return scenario.end_of_memory


def wrapping(scenario: Scenario, unit: Unit) -> int:
    """Return the gpa that is half the area's size below 2^64."""
    return GPA_LIMIT - scenario.addresses.size(unit.what) // 2


def displaced(
    scenario: Scenario, saved: tuple[Any, ...], elsewhere: Elsewhere, *, first: bool = False
) -> tuple[Any, ...]:
    """Return ``saved`` with the address in the last (or first) item that names an area replaced by ``elsewhere``."""
    for at in range(len(saved)) if first else reversed(range(len(saved))):
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
    return elsewhere(scenario, unit) + item - scenario.addresses.gpa(unit)  # the difference is the control bits


class MigrateReordered(Migration):
    """The destination's VMM keeps the saved items, but not their order."""

    name = "migrate-reordered"
    title = "migration, restored in reverse"
    restore = staticmethod(restore_reversed)


class MigrateDamaged(Migration):
    """The first saved address points to no memory: a host that refuses it must restore those of the other vCPUs."""

    name = "migrate-damaged"
    title = "migration, an address behind RAM"
    restore = staticmethod(restore_behind_ram)


class MigrateWrapping(Migration):
    """The last saved area wraps at 2^64."""

    name = "migrate-wrapping"
    title = "migration, an area that wraps"
    restore = staticmethod(restore_wrapping)
