"""What a command says, and its status, when an exception ends it: one line, and names that are allowed below it."""

import errno
import os
import traceback

from workbench.core.rules.place import by_author, of_own_file, place_of_own_file, raised, said
from workbench.errors import WorkbenchError
from workbench.printable import in_columns, printable

#: Set it to see where an internal error comes from.
TRACEBACK = "WORKBENCH_TRACEBACK"
_FEW = 6  # names, for which it is not worth while to draw a table
_NO_MEMORY = "ask for fewer vCPUs, features or states, or raise the limit (ulimit -v)"
_SEE = "see the limits of this process (ulimit -a)"
#: What the system says of limits: descriptors, processes.
_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN})
_LOST = "error return without exception set"  # SystemError: Python had no memory for the MemoryError
#: ImportError: the dynamic linker had no address space for a library.
_NO_SPACE = ("failed to map segment from shared object", "Cannot allocate memory")
_NO_THREAD = "can't start new thread"  # RuntimeError: pthread_create failed (RLIMIT_NPROC, cgroup pids.max)


def fault_of_a_file(error: BaseException) -> str | None:
    """Return what is said of an exception that an author's file raised itself; None for all others."""
    return raised(error) if by_author(error) and of_own_file(error) else None


def told(error: WorkbenchError, width: int) -> list[str]:
    """Return the lines that tell an error, with its place if an author's file raised it itself.

    It is one line, as long as it may be; only where it lists more than a few names, and would be longer than ``width``,
    these stand in columns below it.
    """
    whole = f"{error}{place_of_own_file(error)}"
    if error.names is None or len(error.names) <= _FEW or len(whole) <= width:
        return [whole]
    rest = [f"or {error.more.removeprefix(', or ')}"] if error.more else []
    names = in_columns([printable(name) for name in error.names], width)
    return [f"{error.said}{place_of_own_file(error)}", f"{error.lead}:", *names, *rest]


def ending(error: BaseException) -> tuple[int, str]:
    """Return the status and the line: 2 if an author's file raised it, 1 if the system or the workbench is to blame."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    if isinstance(error, BrokenPipeError) and error.filename is None and not of_own_file(error):
        return 0, ""  # the reader (head, a pager) wants no more
    while isinstance(error, ImportError) and error.__cause__ is not None and not of_own_file(error):
        error = error.__cause__  # NumPy puts a page of advice around it
    not_mapped = isinstance(error, ImportError) and any(text in str(error) for text in _NO_SPACE)
    # ENOMEM: the system had no memory for what it was asked for, be it for a folder's list of names.
    refused = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or not_mapped or refused or str(error) == _LOST:
        return 1, f"out of memory{_place(error)}; {_NO_MEMORY}"
    fault = fault_of_a_file(error)
    if fault is not None:
        return 2, fault
    if isinstance(error, OSError) and error.errno in _LIMITS:
        return 1, f"cannot go on: {said(error)}; {_SEE}"
    if isinstance(error, OSError):
        where = error.filename if error.filename is not None else "standard output"
        return 1, f"cannot go on: {where}: {error.strerror or error}"
    if isinstance(error, ImportError) or str(error) == _NO_THREAD:
        return 1, f"cannot go on: {said(error)}; {_SEE}"
    return 1, f"internal error, please report it: {raised(error)}; {TRACEBACK}=1 shows where it comes from"


def _place(error: BaseException) -> str:
    return f" in {raised(error)}" if of_own_file(error) else ""
