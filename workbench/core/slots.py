"""Slots, in which programs run when steps are interleaved, and the names of programs. Both are values, not text.

A machine has two *slots* for each vCPU, one for its guest code and the handlers of its exits, one for what the host
does while that vCPU is outside the guest, and one slot for the lifecycle event. A slot runs one program at a time.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

VCPU, ENTRY, EVENT_ROLE = "vcpu", "entry", "event"


class Slot(NamedTuple):
    """A place in which one program runs; ``cpu`` is the vCPU it belongs to."""

    role: str  #: VCPU, ENTRY or EVENT_ROLE
    cpu: int

    @property
    def serves_exits(self) -> bool:
        """Whether host code in this slot is the handler of an exit."""
        return self.role == VCPU

    def __str__(self) -> str:
        return self.role if self.role == EVENT_ROLE else f"{self.role}{self.cpu}"


#: The slot of the lifecycle event. Its steps on the host count as steps of vCPU 0.
EVENT = Slot(EVENT_ROLE, 0)


def vcpu_slot(cpu: int) -> Slot:
    """The slot in which vCPU ``cpu`` runs guest code and the handlers of its exits."""
    return Slot(VCPU, cpu)


def entry_slot(cpu: int) -> Slot:
    """The slot in which the host delivers updates while vCPU ``cpu`` is outside the guest."""
    return Slot(ENTRY, cpu)


class ProgramName(NamedTuple):
    """The name of a guest program that an event starts: equal names mean the same program."""

    function: str
    arguments: tuple[Hashable, ...]
    generation: int | None  #: the kernel of the scenario that it belongs to, None if it belongs to no kernel
    cpu: int
    cpl: int

    @property
    def without_cpu(self) -> tuple[Hashable, ...]:
        """The name without the vCPU: equal for vCPUs that run the same program."""
        return self.function, self.arguments, self.generation, self.cpl

    def __str__(self) -> str:
        arguments = repr(self.arguments) if self.arguments else ""
        kernel = "" if self.generation is None else f" (kernel {self.generation})"
        return f"{self.function}{arguments}{kernel} on vCPU {self.cpu}" + (f" at CPL {self.cpl}" if self.cpl else "")
