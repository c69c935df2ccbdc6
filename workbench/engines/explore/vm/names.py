"""The variables of a machine's model besides memory, host entries and notes; and its slots."""

from typing import Any, NamedTuple

from workbench.core.steps import GUEST


class Flag(NamedTuple):
    """A variable of the machine as a whole, or of one vCPU (``cpu`` >= 0)."""

    name: str
    cpu: int = -1

    def __repr__(self) -> str:
        return self.name if self.cpu < 0 else f"{self.name} of vCPU {self.cpu}"


class OwnerOf(NamedTuple):
    """To whom a unit of guest memory belongs: None for the kernel that made it, else "other"."""

    unit: Any

    def __repr__(self) -> str:
        return f"owner of {self.unit.what} of vCPU {self.unit.cpu} (kernel {self.unit.generation})"


class Shared(NamedTuple):
    """Whether an encrypted guest has shared this page."""

    frame: int


class Begin(NamedTuple):
    """The event's Start step, with the program by its name in the model."""

    cpu: int
    program: str


MEMSLOTS = Flag("memslots")
PAUSED = Flag("paused")

# Ghosts: what a property asks about and no program can see.
STRAY = Flag("host wrote memory that is somebody else's")
BEYOND = Flag("host touched bytes beyond the unit it was given")
REFETCHED = Flag("host fetched the same bytes twice and saw them differ")
TORN = Flag("guest accepted a payload that was never whole")

EVENT = "event"


def vcpu_slot(cpu: int) -> str:
    """The slot in which vCPU ``cpu`` runs guest code and the handlers of its exits."""
    return f"vcpu{cpu}"


def entry_slot(cpu: int) -> str:
    """The slot in which the host delivers updates when vCPU ``cpu`` enters the guest."""
    return f"entry{cpu}"


def in_guest(step: Any) -> bool:
    """Tell whether a vCPU whose pending step is this one stands in guest code (idle: None counts)."""
    return step is None or step[0] is GUEST
