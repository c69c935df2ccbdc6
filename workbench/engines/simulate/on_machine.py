"""What steps of lifecycle events do to a simulated machine under any schedule: records, memslots and notes."""

from collections.abc import Iterable
from typing import Any

from workbench.core.address_map import Unit
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.scenario import Scenario, believes
from workbench.core.vcpu import Vcpu


class OnMachine:
    """The part of a ``MachineWorld`` that concerns ``machine`` alone, and not the programs that run on it."""

    machine: Machine
    scenario: Scenario

    def cpus(self) -> Iterable[int]:
        return tuple(self.machine.cpus)

    def record(self, cpu: int) -> Vcpu:
        return self.machine.cpus[cpu]

    def set_record(self, cpu: int, record: Vcpu) -> None:
        self.machine.cpus[cpu] = record

    def arrive(self) -> None:
        """Do nothing: memory and records stay where they are."""

    def add_memslot(self, gpa: int, size: int, readonly: bool) -> None:
        self.machine.memory.add(gpa, size, readonly=readonly)

    def delete_memslot(self, gpa: int) -> None:
        self.machine.memory.delete(gpa)

    def move_memslot(self, gpa: int, to: int) -> None:
        self.machine.memory.move(gpa, to)

    def guest_notes(self) -> Iterable[Key]:
        return (key for key in self.machine.notes if isinstance(key, Key))

    def believes_registered(self, unit: Unit) -> bool:
        return self.machine.notes.get(believes(unit.cpu, unit.what)) == self.scenario.addresses.gpa(unit)

    def note(self, key: Key, value: Any) -> None:
        self.machine.note(key, value)
