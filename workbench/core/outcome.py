"""Four vocabularies: the outcome of an access, the answer of a guest, the fate of an area, what a machine becomes.

Code, tables, traces and mail use the same words. "Accepted" is not "active": the outcome of an access and the fate
of a registration are different things, with a column each.
"""

from enum import Enum
from typing import NamedTuple


class Outcome(Enum):
    """The result of an MSR access or a call."""

    HANDLED = "handled"  #: the register is claimed; the instruction completed
    FAULT = "fault"  #: the register is claimed and the access refused: the guest takes #GP
    UNKNOWN = "unknown"  #: the register is not claimed: the unknown-MSR policy of the host decides

    # Hash by identity, for speed: the default Enum hash is a Python method that looks up the name.
    __hash__ = object.__hash__


HANDLED, FAULT, UNKNOWN = Outcome.HANDLED, Outcome.FAULT, Outcome.UNKNOWN


class Answer(Enum):
    """What a guest concludes when it has called ``register``: the guest's belief, not the host's state."""

    ACCEPTED = "accepted"
    REFUSED = "refused"

    __hash__ = object.__hash__


ACCEPTED, REFUSED = Answer.ACCEPTED, Answer.REFUSED


class AcceptedAt(NamedTuple):
    """The answer of a registration that was accepted at an address which the host chose."""

    gpa: int


class Fate(Enum):
    """The final state of an area, as an outside observer sees it; ordered from harmless to harmful."""

    RELEASED = "released"  #: neither guest nor host has it registered any more
    UNSUPPORTED = "unsupported"  #: the protocol cannot express this feature
    REGISTERED = "registered"  #: guest and host agree, and the host's writes arrive
    REFUSED = "refused"  #: the guest's request was refused, and the host serves no area
    SILENT = "silent"  #: the host accepted, but nothing arrives in the area
    LOST = "lost"  #: it was registered and the guest believes it still is, but the host no longer serves it
    STALE = "stale"  #: the host writes to memory that is no longer (or never was) this area
    ENDED = "ended"  #: the machine does not run any more, because its VMM could not restore it

    __hash__ = object.__hash__


#: Fates from harmless to harmful; the fate of a whole scenario is the worst of its areas.
SEVERITY = tuple(Fate)


def worst(fates: "list[Fate]") -> Fate:
    """Return the most harmful of ``fates``; ``RELEASED`` if there are none."""
    return max(fates, key=SEVERITY.index, default=Fate.RELEASED)


class Becomes(Enum):
    """What becomes of a machine that is restored on a host; ordered from harmless to harmful."""

    GOES_ON = "goes on"
    LESS = "goes on with less"  #: something was refused, and the guest runs without it
    REFUSED = "refused"  #: the destination does not take the machine; the saved state is as it was
    ABORTS = "aborts"  #: the VMM of the destination ends itself

    __hash__ = object.__hash__

    @property
    def is_end(self) -> bool:
        """Whether the machine does not run on that host."""
        return self in (Becomes.REFUSED, Becomes.ABORTS)
