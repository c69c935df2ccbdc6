"""Errors: the type says whose fault it was, the message says what to do about it.

What a guest or host does wrongly *within the model* is an outcome or a finding, never an exception.
Exceptions are for the people at the keyboard: a mistaken input, an access by the harness outside
guest memory, an engine that cannot run here.
"""


class WorkbenchError(Exception):
    """A mistake of the user; the command line prints it as one line and exits with status 2."""


class GuestMemoryError(WorkbenchError):
    """An access by the harness that touches an address outside every memslot, or a read-only one."""


class LayoutError(WorkbenchError):
    """C text that cannot be laid out without guessing."""


class EngineError(WorkbenchError):
    """An engine cannot do what was asked of it here; the message says why and what would help.

    ``reason`` is the message without the name of the ``engine`` in front of it.
    """

    def __init__(self, reason: str, engine: str = "") -> None:
        super().__init__(f"{engine}: {reason}" if engine else reason)
        self.reason = reason
