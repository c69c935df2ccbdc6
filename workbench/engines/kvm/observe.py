"""Observes a real machine from outside: which memory the host changed, and the fate of each area.

The rules kept here, by kind of evidence:

* *measured*: bytes of guest memory that changed although no guest code stored there (payloads, strays); what
  KVM_GET_MSRS returns; what our own handlers remember.
* *provoked*: KVM decides when to update a kvmclock, so an update is requested (KVM_SET_CLOCK to the clock's own value)
  before checking whether steal time and kvmclock still arrive, and whether they arrive in reassigned memory.
* *inferred*: for payloads written once or on an event (wall clock, async page fault, PV EOI), the register's value
  and a memslot that backs it are taken to mean that the writes would arrive.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from workbench.checking.evidence import evidence, in_others_memory
from workbench.core.address_map import Unit
from workbench.core.contracts import Feature
from workbench.core.contracts import Protocol as RegistrationProtocol
from workbench.core.host_state import VM
from workbench.core.memory import GuestMemory
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario, beliefs, fate_of, retaken
from workbench.engines.kvm.world import WorldOwner, backs

#: Payloads whose updates can be provoked and observed.
CAN_BE_SEEN = ("entry", "request")


class Watched(WorldOwner, Protocol):
    """The interface of a machine whose areas are observed."""

    scenario: Scenario
    protocol: RegistrationProtocol
    shadow: GuestMemory  #: the contents that guest memory would have if only the guest had written

    @property
    def native(self) -> Collection[Feature]:
        """The features whose registers KVM itself serves."""
        ...

    def held(self) -> dict[Hashable, Any]:
        """Return the host's present entries."""
        ...

    def enter_once(self, cpu: int) -> None:
        """Let a vCPU enter the guest once, so that pending deliveries are made."""
        ...


class Watch:
    """Collects evidence on one machine."""

    def __init__(self, machine: Watched) -> None:
        self._machine = machine
        self.reassigned: set[Unit] = set()
        self.strayed: set[tuple[int, str]] = set()  #: (owner, feature) of areas in reassigned memory
        self._arrived: set[tuple[int, str]] = set()

    # -- strays ----------------------------------------------------------------------------------------

    @contextmanager
    def for_strays(self, cpu: int) -> Iterator[None]:
        """Record the reassigned units that the host changes while ``cpu`` enters the guest, and those it may change."""
        others = self._others()
        if not others:
            yield
            return
        before = self._content(others)
        yield
        if self._machine.native:
            self._ask_for_clock()
            self._machine.enter_once(cpu)
        after = self._content(others)
        self.strayed.update((unit.cpu, unit.what) for unit in before if before[unit] != after[unit])
        held = self._machine.held()
        writable = partial(backs, self._machine.guest, writable=True)
        self.strayed.update(in_others_memory(self._machine.scenario, held, cpu, others, writable))

    def _others(self) -> set[Unit]:
        """Return the reassigned units that no kernel has taken back."""
        return {unit for unit in self.reassigned if not self._machine.notes.get(retaken(unit))}

    def _content(self, units: Iterable[Unit]) -> dict[Unit, bytes | None]:
        addresses = self._machine.scenario.addresses
        return {unit: self._read(addresses.gpa(unit), addresses.size(unit.what)) for unit in units}

    # -- what became of the areas ------------------------------------------------------------------------

    def fates(self) -> dict[tuple[int, str], Fate]:
        """Return {(owner, feature): fate} for every area of the scenario; enters every vCPU once more to find out."""
        machine, scenario = self._machine, self._machine.scenario
        held = machine.held()
        self._provoke(held)
        return {
            (owner, feature.name): fate_of(
                evidence(
                    machine.protocol,
                    owner,
                    feature,
                    notes=machine.notes,
                    held=held,
                    ever=machine.ever,
                    arrives=partial(self._arrives, owner, feature),
                    strays=(owner, feature.name) in self.strayed,
                    belongs_to_host=scenario.addresses.belongs_to_host,
                )
            )
            for feature in scenario.features
            for owner in scenario.owners(feature)
        }

    def payloads(self) -> dict[tuple[int, str], bool]:
        """Tell for each area the guest believes in whether it holds something that the guest did not write.

        A payload with a version counts only if the version is even, that is, not in the middle of an update.
        """
        machine = self._machine
        features = {feature.name: feature for feature in machine.scenario.features}
        return {
            (owner, name): self._holds_payload(features[name], gpa)
            for (owner, name), gpa in sorted(beliefs(machine.notes).items())
            if name in features  # a hostile guest may believe in other areas as well
        }

    def _holds_payload(self, feature: Feature, gpa: int) -> bool:
        content = self._read(gpa, feature.size)
        if content is None or content == self._machine.shadow.peek(gpa, feature.size):
            return False
        layout = feature.payload.on(self._machine.scenario.abi)
        names = [field.name for field in layout.fields]
        return "version" not in names or layout.unpack(content[: layout.size])["version"] % 2 == 0

    def _arrives(self, owner: int, feature: Feature, gpa: int, size: int) -> bool:
        if feature in self._machine.native and feature.update_when in CAN_BE_SEEN:
            return (owner, feature.name) in self._arrived
        return backs(self._machine.guest, gpa, size, writable=True)

    def _provoke(self, held: dict[Hashable, Any]) -> None:
        """Enter each vCPU so that KVM updates its payloads, and record where it did."""
        machine = self._machine
        watched = [feature for feature in machine.native if feature.update_when in CAN_BE_SEEN]
        if not watched:
            return
        self._ask_for_clock()
        for cpu in machine.records:
            places = {
                (owner, feature.name): (gpa, feature.size)
                for feature in watched
                for owner in (VM if feature.scope == "vm" else cpu,)
                if (gpa := machine.protocol.serving(held, owner, feature, 0)) is not None
            }
            before = {key: self._read(*place) for key, place in places.items()}
            machine.enter_once(cpu)
            self._arrived.update(key for key, place in places.items() if self._read(*place) != before[key])

    def _ask_for_clock(self) -> None:
        """Make every kvmclock due for an update, by setting the VM's clock to its present value."""
        vm = self._machine.guest.vm
        vm.set_clock(vm.get_clock().clock)

    def _read(self, gpa: int, size: int) -> bytes | None:
        guest = self._machine.guest
        return guest.memory.read(gpa, size) if backs(guest, gpa, size, writable=False) else None
