"""Three closed sets of words: the outcome of an access, the answer that the guest got, the fate of an area.

They are spelled the same in code, tables, traces and mail. "Accepted" is not "active": the outcome
of an access and the fate of a registration are two things, and two columns.
"""

from enum import Enum


class Outcome(Enum):
    """What an MSR access or a call came to."""

    HANDLED = "handled"  #: somebody claimed it; the instruction completed
    FAULT = "fault"  #: somebody claimed it and refused: the guest takes #GP
    UNKNOWN = "unknown"  #: nobody claims it: the unknown-MSR policy of the host decides

    # Identity, not the name's hash: the default Enum hash walks a Python-level attribute.
    __hash__ = object.__hash__


HANDLED, FAULT, UNKNOWN = Outcome.HANDLED, Outcome.FAULT, Outcome.UNKNOWN


class Answer(Enum):
    """What a guest concludes from its own ``register``: the guest's belief, not the host's state."""

    ACCEPTED = "accepted"
    REFUSED = "refused"

    __hash__ = object.__hash__


ACCEPTED, REFUSED = Answer.ACCEPTED, Answer.REFUSED


class Fate(Enum):
    """What became of an area, seen from outside; ordered from harmless to harmful."""

    RELEASED = "released"  #: neither side knows of it any more
    UNSUPPORTED = "unsupported"  #: the protocol has no way to name this feature
    REGISTERED = "registered"  #: guest and host agree and the host's writes arrive
    REFUSED = "refused"  #: the guest was told no, and the host has nothing
    SILENT = "silent"  #: the host accepted, and yet nothing arrives in the area
    LOST = "lost"  #: it was registered, the guest believes it is, the host has forgotten
    STALE = "stale"  #: the host writes to memory that is no longer (or never was) this area

    __hash__ = object.__hash__


#: Fates from harmless to harmful: the worst one names a whole scenario.
SEVERITY = tuple(Fate)


def worst(fates: "list[Fate]") -> Fate:
    """Return the most harmful of ``fates``; ``RELEASED`` when there is none."""
    return max(fates, key=SEVERITY.index, default=Fate.RELEASED)
