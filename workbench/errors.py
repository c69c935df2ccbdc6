"""The exceptions of the package. The type says what kind of mistake it was; the message says how to correct it.

What a guest or host does wrong *within the model* is an outcome or a finding, never an exception.
Exceptions report mistakes of the user or of the environment: invalid input, an access by the harness outside
guest memory, an engine that cannot run here.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 80  #: characters of a name in a message


class WorkbenchError(Exception):
    """An error that the user can correct; the command line prints it and exits with status 2.

    ``names``: those that are allowed, which end the text behind the word ``lead``, and before ``more``. The text is one
    line; the command line prints ``said`` in one line, and names that do not fit into it in columns below.
    """

    names: tuple[str, ...] | None = None  # also of a subclass whose __init__ does not call this one

    def __init__(
        self, said: str = "", names: Iterable[str] | None = None, *, lead: str = "known", more: str = ""
    ) -> None:
        self.said, self.lead, self.more = said, lead, more
        self.names = None if names is None else tuple(names)
        super().__init__(said + self.listed(", ".join(self.names or ("none",))) if self.names is not None else said)

    def listed(self, names: str) -> str:
        """Return what ends the text, with the names as given."""
        return f"{'' if self.said.endswith('?') else ';'} {self.lead}: {names}{self.more}"

    def within(self, where: str, kind: type[WorkbenchError]) -> WorkbenchError:
        """Return this error as one of ``kind`` with ``where`` before its text."""
        return kind(f"{where}{self.said}", self.names, lead=self.lead, more=self.more)


def unknown(sort: str, name: str, known: Iterable[str], *, more: str = "", lead: str = "known") -> WorkbenchError:
    """Return the error about a name that is not known: near ones, then all; ``more`` is added to these."""
    shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
    return not_known(f"unknown {sort} {shown!r}", name, known, more=more, lead=lead)


def not_known(said: str, name: str, known: Iterable[str], **how: str) -> WorkbenchError:
    """Return the error that begins with ``said`` about a name that is not known; ``how``: as in WorkbenchError."""
    names = list(known)
    close = get_close_matches(name.casefold(), [one.casefold() for one in names], n=3, cutoff=0.6)
    near = [one for one in names if any(f"{one.casefold()}-".startswith(f"{like}-") for like in close)]
    return WorkbenchError(f"{said}; did you mean {', '.join(near)}?" if near else said, names, **how)


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
