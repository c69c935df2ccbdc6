"""What steps of lifecycle events do to a simulated machine under any schedule: records, memslots and notes."""

from collections.abc import Iterable
from typing import Any

from workbench.core.address_map import Unit
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.scenario import Scenario, believes
from workbench.core.sent_memory import Sending, SentMemory
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
        """Memory that was sent in rounds becomes what was sent; all else stays where it is."""
        sent, self.machine.sent = self.machine.sent, None
        if sent is not None:
            self.memory_arrived(sent.arrive(), sent.host_wrote)

    def memory_arrived(self, lost: list[int], host_wrote: bool) -> None:
        """These bytes are not those of the source; ``host_wrote``: while memory was being sent."""
        raise NotImplementedError

    def sending(self) -> Sending | None:
        return None if self.machine.sent is None else self.machine.sent.sending

    def send_memory(self, own_log: bool) -> None:
        self.machine.sent = SentMemory(self.machine.memory, own_log=own_log)

    def send_dirty(self, last: bool) -> None:
        assert self.machine.sent is not None
        self.machine.sent.send_dirty(last=last)

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
