"""The exceptions of the package. The type says what kind of mistake it was; the message says how to correct it.

What a guest or host does wrong *within the model* is an outcome or a finding, never an exception.
Exceptions report mistakes of the user or of the environment: invalid input, an access by the harness outside
guest memory, an engine that cannot run here.
"""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 80  #: characters of a name in a message


def unknown(sort: str, name: str, known: Iterable[str], *, more: str = "") -> str:
    """Return the message about a name that is not known: near ones, then all; ``more`` is added to these."""
    names = list(known)
    close = get_close_matches(name.casefold(), [one.casefold() for one in names], n=3, cutoff=0.6)
    near = [one for one in names if any(f"{one.casefold()}-".startswith(f"{like}-") for like in close)]
    meant = f"; did you mean {', '.join(near)}?" if near else ";"
    shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
    return f"unknown {sort} {shown!r}{meant} known: {', '.join(names) or 'none'}{more}"


class WorkbenchError(Exception):
    """An error that the user can correct; the command line prints it as one line and exits with status 2."""


class GuestMemoryError(WorkbenchError):
    """An access by the harness to an address outside every memslot, or a write to a read-only memslot."""


class LayoutError(WorkbenchError):
    """C text whose layout is not certain, or a value that does not fit its layout."""


class AuthorError(WorkbenchError):
    """A program of a user's own breaks a rule of its contract; the message begins with file, line and method."""


class EngineError(WorkbenchError):
    """An engine cannot do what was requested here; the message says why and what would help.

    ``reason`` is the message without the leading name of the ``engine``.
    """

    def __init__(self, reason: str, engine: str = "") -> None:
        super().__init__(f"{engine}: {reason}" if engine else reason)
        self.reason = reason
