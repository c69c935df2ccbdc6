"""Variables of a machine's model other than memory, host entries, notes and ghosts.

A variable is found by its value, and named tuples of two classes are equal if their fields are: so each kind of page or
memory has its kind as a last field.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from workbench.core.address_map import Region
from workbench.core.memory import GPA_LIMIT, PAGE_SHIFT
from workbench.core.steps import GUEST


class Flag(NamedTuple):
    """A variable of the machine as a whole, or of one vCPU (``cpu`` >= 0)."""

    name: str
    cpu: int = -1

    def __repr__(self) -> str:
        return self.name if self.cpu < 0 else f"{self.name} of vCPU {self.cpu}"


class Shared(NamedTuple):
    """The variable that says whether an encrypted guest has shared this page."""

    frame: int
    kind: str = "shared"

    def __repr__(self) -> str:
        return f"page {self.frame << 12:#x} is shared"


class Covered(NamedTuple):
    """The variable that says whether a page of the host lies over the page at ``gpa``."""

    gpa: int
    kind: str = "covered"

    def __repr__(self) -> str:
        return f"page {self.gpa:#x} is covered"


class Under(NamedTuple):
    """The variable that holds the guest's ``size`` bytes at ``gpa`` while a page of the host lies over them."""

    gpa: int
    size: int
    kind: str = "under"

    def __repr__(self) -> str:
        return f"memory {self.gpa:#x}+{self.size} under the host's page"


class Dirty(NamedTuple):
    """The variable that says whether a page is in the dirty log, while memory is sent in rounds."""

    frame: int
    kind: str = "dirty"

    def __repr__(self) -> str:
        return f"page {self.frame << 12:#x} is dirty"


class Behind(NamedTuple):
    """The variable that holds the ``size`` bytes at ``gpa`` as the destination has them, if it is to get no others."""

    gpa: int
    size: int
    kind: str = "behind"

    def __repr__(self) -> str:
        return f"memory {self.gpa:#x}+{self.size} on the destination"


MEMSLOTS = Flag("memslots")
PAUSED = Flag("paused")
MOVED = Flag("on another host")
READS_LEFT = Flag("readings left")


def record(cpu: int) -> Flag:
    """The vCPU's record, which every exit passes to its handler."""
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
    """Tell whether a vCPU with this pending step executes guest code; an idle vCPU (None) does."""
    return step is None or step[0] is GUEST


def pages(gpa: int, size: int) -> range:
    """Return the frame numbers of [gpa, gpa+size)."""
    return range(gpa >> PAGE_SHIFT, ((gpa + max(size, 1) - 1) >> PAGE_SHIFT) + 1)


@cache
def reaches(gpa: int, size: int, write: bool) -> Callable[[tuple[Region, ...]], bool]:
    """A question about the memslots: is all of [gpa, gpa + size) in one of them or in adjacent ones?"""

    def question(slots: tuple[Region, ...]) -> bool:
        at, end = gpa, gpa + max(size, 1)
        while at < end:
            hit = next((slot for slot in slots if slot.gpa <= at < slot.gpa + slot.size), None)
            if hit is None or (write and hit.readonly):
                return False
            at = hit.gpa + hit.size
        return end <= GPA_LIMIT

    return question
