"""The variables of a machine's model besides memory, host entries, notes and ghosts."""

from typing import Any, NamedTuple

from workbench.core.steps import GUEST


class Flag(NamedTuple):
    """A variable of the machine as a whole, or of one vCPU (``cpu`` >= 0)."""

    name: str
    cpu: int = -1

    def __repr__(self) -> str:
        return self.name if self.cpu < 0 else f"{self.name} of vCPU {self.cpu}"


class Shared(NamedTuple):
    """Whether an encrypted guest has shared this page."""

    frame: int

    def __repr__(self) -> str:
        return f"page {self.frame << 12:#x} is shared"


class PauseAs(NamedTuple):
    """Pause; from then to Resume, what the event would do to vCPU ``a`` it does to vCPU ``b``, for each pair (a, b).

    Only where symmetry is made use of, see ``workbench.engines.explore.vm.symmetry.naming``.
    """

    names: tuple[tuple[int, int], ...]


class AnyNames(NamedTuple):
    """Any of these: Pause, or Pause under other names."""

    pauses: tuple[Any, ...]


MEMSLOTS = Flag("memslots")
PAUSED = Flag("paused")
READS_LEFT = Flag("readings left")


def record(cpu: int) -> Flag:
    """The vCPU's record, which every exit hands to its handler."""
    return Flag("record", cpu)


def stopped(cpu: int) -> Flag:
    """Whether the vCPU runs no further guest code."""
    return Flag("stopped", cpu)


def updates_left(cpu: int) -> Flag:
    """How often the host may still write payloads of this vCPU by itself."""
    return Flag("updates left", cpu)


def takes_left(cpu: int) -> Flag:
    """How often the vCPU may still handle an event of its own."""
    return Flag("events to handle", cpu)


def in_guest(step: Any) -> bool:
    """Tell whether a vCPU whose pending step is this one stands in guest code (idle: None counts)."""
    return step is None or step[0] is GUEST
