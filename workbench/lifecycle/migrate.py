"""Live migration: the machine moves to another host, with its memory and the state that the VMM carries.

Order as in QEMU: the vCPUs stop, their state is read, memory and state are transferred, the state is written on the
destination, the vCPUs run again (target/i386/kvm/kvm.c, kvm_arch_get_registers and kvm_arch_put_registers).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from workbench.core.driver import host_side
from workbench.core.event_steps import Becoming, HostCall, NewHost, OnHost, Pause, Resume
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import SET_BY_VMM
from workbench.lifecycle.event import ENDED, AfterBoot, enter_all


def save_on(scenario: Scenario) -> Program:
    """VMM: read the state that the interfaces carry."""
    return host_side(scenario.protocol.save(scenario.cpus))


def kept_by_vmm(scenario: Scenario) -> Program:
    """VMM: read the registrations that it serves itself."""
    return host_side(scenario.protocol.vmm_keeps(scenario.cpus))


def restore_on(scenario: Scenario, saved: tuple[Any, ...]) -> Program:
    """VMM: write the saved state on the destination."""
    return host_side(scenario.protocol.restore(scenario.cpus, saved))


#: The program by which the VMM restores the saved items; None: it restores nothing.
Restore = Callable[[Scenario, tuple[Any, ...]], Program] | None


def move(
    scenario: Scenario,
    *,
    restore: Restore = restore_on,
    changes: tuple[tuple[str, Any], ...] = (),
    then: Callable[[Scenario], Program] | None = None,
    vmm_stays: bool = False,
) -> Program:
    """Pause, save, :func:`arrive` at a new host, resume.

    ``then``: what the VMM does on the new host before the vCPUs run; its result is returned. If the machine ends there,
    ``then`` is not done, and ENDED is returned. ``vmm_stays``: the VMM is the same one, and still has the registrations
    that it serves itself.
    """
    yield Pause()
    saved = yield OnHost(0, HostCall(save_on, (scenario,)))
    if vmm_stays:
        own = yield OnHost(0, HostCall(kept_by_vmm, (scenario,)))
        saved += tuple(item for item in own if item not in saved)
    if (yield from arrive(scenario, saved, restore=restore, changes=changes)) is ENDED:
        return ENDED
    answer = None if then is None else (yield from then(there(scenario, changes)))
    yield Resume()
    return answer


def arrive(
    scenario: Scenario, saved: tuple[Any, ...], *, restore: Restore = restore_on,
    changes: tuple[tuple[str, Any], ...] = (),
) -> Program:  # fmt: skip
    """Move to a new host without state, and ``restore`` what was ``saved``, if that host knows the protocol.

    Return ENDED if the machine ends, because its VMM gives up at what that host refused.
    """
    yield NewHost(changes)
    destination = there(scenario, changes)
    if restore is None or not destination.host.knows_protocol:
        return None
    refused = yield OnHost(0, HostCall(restore, (destination, saved)))
    if refused:
        yield Becoming(destination.host.vmm.becomes)
    return ENDED if destination.host.vmm.ends(refused or 0) else None


def there(scenario: Scenario, changes: tuple[tuple[str, Any], ...]) -> Scenario:
    """Return the scenario with the records that the vCPUs have on a new host with these changes (see NewHost)."""
    of_vcpu = {name: value for name, value in changes if name in SET_BY_VMM}
    of_host = {name: value for name, value in changes if name not in of_vcpu}
    return replace(scenario, host=replace(scenario.host, **of_host), **of_vcpu)


class Migration(AfterBoot):
    """A live migration; subclasses define what is restored, and the configuration of the destination host."""

    group = "the machine moves"
    restores = True

    restore: ClassVar[Any] = staticmethod(restore_on)  #: a Restore; a type checker would bind it to the event
    changes: ClassVar[tuple[tuple[str, Any], ...]] = ()

    def happen(self, scenario: Scenario) -> Program:
        if (yield from move(scenario, restore=self.restore, changes=self.changes)) is ENDED:
            return ENDED
        yield from enter_all(scenario)
        return None

    def leaves(self, scenario: Scenario) -> Scenario:
        """The machine is on the destination."""
        return there(super().leaves(scenario), self.changes)


class Migrate(Migration):
    """A migration that carries everything that existing interfaces can carry."""

    name = "migrate"
    title = "live migration"


class MigrateWithoutState(Migration):
    """A VMM that does not know the protocol's state transfers only memory."""

    name = "migrate-no-state"
    title = "migration, state not carried"
    restore = None


class MigrateToOldHost(Migration):
    """The destination's KVM does not know the protocol."""

    name = "migrate-old-host"
    title = "migration to a host without it"
    changes = (("knows_protocol", False),)
