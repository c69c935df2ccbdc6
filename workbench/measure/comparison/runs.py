"""Measured runs: one simulation per (protocol, features, vCPUs, event, seed), run once and cached.

The cache holds a run's numbers, not its machine, so that even a boot of 4096 vCPUs is cheap to keep.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

from workbench.core.contracts import Feature, StateEntry
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Start
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.outcome import Fate, worst
from workbench.core.rules.place import by_author, raised
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import MAX_VCPUS
from workbench.engines.simulate import Run, simulate
from workbench.errors import WorkbenchError
from workbench.lifecycle.event import AfterBoot
from workbench.lifecycle.linux import LinuxKernel
from workbench.measure.comparison.guest_memory import GuestMemoryUse, guest_memory_use
from workbench.measure.variants import Variant


class Missed(NamedTuple):
    """What the destination of a migration in rounds has not got as the source last wrote it; 0 if all arrived."""

    bytes: int
    pages: int


@dataclass(frozen=True)
class Measured:
    """The results of one run. Counts are of the event alone; state and guest memory are as they are after it."""

    scenario: Scenario
    event: str
    counts: Counter[str]
    fates: Counter[Fate]
    stray_writes: int
    state: tuple[StateEntry, ...]
    guest_memory: GuestMemoryUse
    dirty_logged: int  #: pages in KVM's dirty log, boot included
    dirty_unlogged: int  #: pages that the VMM wrote and this log does not show, boot included
    missed: Missed

    @property
    def fate(self) -> Fate:
        """The worst fate of any area."""
        return worst(list(self.fates))


class WithValues(AfterBoot):
    """An event after which the guest also registers the features that are no part of boot (haltpoll's poll control)."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.name, self.title = event.name, event.title  # type: ignore[misc]
        self.min_vcpus = event.min_vcpus  # type: ignore[misc]

    def adapt(self, scenario: Scenario) -> Scenario:
        return self.event.adapt(scenario)

    def setup(self, scenario: Scenario) -> Program:
        return self.event.setup(scenario)

    def happen(self, scenario: Scenario) -> Program:
        yield from self.event.happen(scenario)
        kernel = LinuxKernel(scenario)
        for feature in scenario.supported():
            if feature.linux_boot is None:
                for owner in scenario.owners(feature):
                    yield Start(max(owner, 0), partial(kernel.set_value, feature=feature))


def check_vcpus(vcpus: int) -> int:
    """Return ``vcpus``; raise WorkbenchError if no machine has so many."""
    if not 1 <= vcpus <= MAX_VCPUS:
        raise WorkbenchError(f"{vcpus} vCPUs: allowed are 1 to {MAX_VCPUS}")
    return vcpus


def check_event(event: Event, vcpus: int) -> None:
    """Raise WorkbenchError if an event cannot happen to a machine of ``vcpus`` vCPUs."""
    if vcpus < event.min_vcpus:
        raise WorkbenchError(f"event {event.name!r} needs at least {event.min_vcpus} vCPUs; here are {vcpus}")


def possible(events: Iterable[Event], vcpus: int) -> tuple[Event, ...]:
    """Return those of ``events`` that can happen to a machine of ``vcpus`` vCPUs."""
    return tuple(event for event in events if event.min_vcpus <= vcpus)


@lru_cache(maxsize=4096)
def measured(
    variant: Variant, features: tuple[Feature, ...], vcpus: int, event: Event, seed: int = 0
) -> Measured:
    """Run ``event`` under ``variant`` and return the results, which are cached per process.

    Raises WorkbenchError for an impossible number of vCPUs, and if the protocol raises an exception.
    """
    check_vcpus(vcpus)
    check_event(event, vcpus)
    what_happens: Any = event  # the engine asks for a plain attribute where events have a class variable
    try:
        scenario = Scenario(variant.protocol(features), features, vcpus=vcpus, seed=seed)
        return _digest(simulate(scenario, what_happens))
    except (WorkbenchError, MemoryError):
        raise
    except BaseException as error:
        if not by_author(error):
            raise
        what = f"protocol {variant.label} raised an exception under event {event.name}"
        raise WorkbenchError(f"{what}: {raised(error)}") from error


def _digest(run: Run) -> Measured:
    machine, scenario = run.machine, run.scenario
    return Measured(
        scenario,
        run.event,
        run.counts,
        Counter(run.fates.values()),
        run.strays,
        tuple(state_of(scenario, machine)),
        guest_memory_use(scenario, machine),
        sum(len(slot.dirty) for slot in machine.memory.slots),
        len(machine.memory.vmm_dirty()),
        Missed(run.lost_bytes, run.lost_pages),
    )


def state_of(scenario: Scenario, machine: Machine) -> list[StateEntry]:
    """Return the state that the machine's present host must carry; a host without the protocol holds none."""
    cpus = [machine.cpus[index] for index in sorted(machine.cpus)]
    if not any(cpu.host.knows_protocol for cpu in cpus):
        return []
    entries = {key: value for key, value in machine.entries.items() if isinstance(key, Key)}
    return scenario.protocol.state(entries, cpus)
