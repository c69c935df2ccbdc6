"""Where programs run when steps are interleaved, and what programs are called: values, written as text for people only.

A machine has a *slot* for each vCPU (its guest code and the handlers of its exits), one more for each vCPU (what the
host does while that vCPU is outside the guest), and one for the lifecycle event. A slot runs one program at a time.
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
        """Whether what the host does in this slot is the handler of an exit."""
        return self.role == VCPU

    def __str__(self) -> str:
        return self.role if self.role == EVENT_ROLE else f"{self.role}{self.cpu}"


#: The slot of the lifecycle event. What an event does on the host counts as done for vCPU 0.
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
    generation: int | None  #: which kernel of the scenario it belongs to, None if to none in particular
    cpu: int
    cpl: int

    @property
    def without_cpu(self) -> tuple[Hashable, ...]:
        """What vCPUs that run the same program have in common."""
        return self.function, self.arguments, self.generation, self.cpl

    def __str__(self) -> str:
        arguments = repr(self.arguments) if self.arguments else ""
        kernel = "" if self.generation is None else f" (kernel {self.generation})"
        return f"{self.function}{arguments}{kernel} on vCPU {self.cpu}" + (f" at CPL {self.cpl}" if self.cpl else "")
