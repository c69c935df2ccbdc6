"""The plainest schedule there is: each program runs to its end before the next one starts.

:class:`OneByOne` is what a step of a lifecycle event acts on under this schedule; it keeps nothing of its own, so that
it can be made of any machine, one that stands for many vCPUs (``lanes``) included.
"""

from collections.abc import Iterable
from typing import Any

from workbench.core.address_map import Unit
from workbench.core.contracts import Protocol
from workbench.core.driver import guest_side, host_side
from workbench.core.event_steps import OnHost, Start
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.vcpu import Vcpu


class OneByOne:
    """A machine on which nothing is ever under way when the next step of an event is taken."""

    def __init__(self, machine: Machine, protocol: Protocol) -> None:
        self.machine = machine
        self.protocol = protocol

    def cpus(self) -> Iterable[int]:
        return tuple(self.machine.cpus)

    def at_boundary(self, cpu: int) -> bool:
        return True

    def has_finished(self, cpu: int) -> bool:
        return True

    def begin(self, step: Start) -> None:
        """The vCPU runs the program to its end."""
        program = step.program(self.machine.cpus[step.cpu])
        self.machine.run(step.cpu, guest_side(self.protocol, program, cpl=step.cpl))

    def halt(self, cpu: int, *, for_good: bool) -> None:
        """Its program has ended already."""

    def enter(self, cpu: int) -> None:
        self.machine.run(cpu, host_side(self.protocol.on_entry(self.machine.cpus[cpu])))

    def reset(self, cpu: int) -> None:
        record = self.machine.cpus[cpu]
        if record.host.knows_protocol:
            self.machine.run(cpu, host_side(self.protocol.on_init(record)))

    def pause(self) -> None:
        """No vCPU runs."""

    def resume(self) -> None:
        """No vCPU was stopped."""

    def on_host(self, step: OnHost) -> Any:
        return self.machine.run(step.cpu, step.program())

    def leave_host(self) -> None:
        self.machine.entries.clear()

    def record(self, cpu: int) -> Vcpu:
        return self.machine.cpus[cpu]

    def set_record(self, cpu: int, record: Vcpu) -> None:
        self.machine.cpus[cpu] = record

    def arrive(self) -> None:
        """Memory and records are where they were; the host's entries are gone."""

    def add_memslot(self, gpa: int, size: int, readonly: bool) -> None:
        self.machine.memory.add(gpa, size, readonly=readonly)

    def delete_memslot(self, gpa: int) -> None:
        self.machine.memory.delete(gpa)

    def move_memslot(self, gpa: int, to: int) -> None:
        self.machine.memory.move(gpa, to)

    def reassign(self, unit: Unit) -> None:
        """Whoever looks for writes to others' memory keeps this (``Simulation``)."""

    def guest_notes(self) -> Iterable[Key]:
        return (key for key in self.machine.notes if isinstance(key, Key))

    def note(self, key: Key, value: Any) -> None:
        self.machine.note(key, value)
