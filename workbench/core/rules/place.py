"""Where in the author's file something happened: of a suspended program, of a method, of an exception."""

import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, GeneratorType
from typing import Any

from workbench.core.rules.wording import mutable_local
from workbench.errors import AuthorError, EngineError, WorkbenchError

#: The package's own folder; what lies elsewhere is an author's file.
_PACKAGE = Path(__file__).resolve().parents[2]
#: Locals in which a relay (``core.driver``, ``core.relay``) holds the program that it drives.
_RELAYED = ("program", "handler")
#: Rooms that run the programs of others.
_RELAYS = tuple(str(_PACKAGE / room) for room in ("core", "checking", "engines", "clayout"))

_MUTABLE = frozenset({list, dict, set, bytearray, deque, defaultdict, Counter})

#: What a step with a wrong address, width or value raises.
OF_A_STEP = (WorkbenchError, TypeError, ValueError, AttributeError, OverflowError)


def shown(file: str, line: int) -> str:
    """Return ``file:line``; the path is relative to the current directory if it lies below that."""
    path = Path(file)
    with suppress(ValueError, OSError):
        path = path.resolve().relative_to(Path.cwd())
    return f"{path}:{line}"


def of_code(code: CodeType, line: int | None = None) -> str:
    """Return ``file:line: Class.method`` for a place in ``code``; default: its first line."""
    return f"{shown(code.co_filename, line or code.co_firstlineno)}: {code.co_qualname.replace('.<locals>', '')}"


def is_authors(file: str) -> bool:
    """Tell whether ``file`` lies outside the package."""
    return not Path(file).resolve().is_relative_to(_PACKAGE)


def _innermost(program: Any, wanted: Callable[[str], bool]) -> FrameType | None:
    """Return the innermost frame of a suspended program whose file is ``wanted``.

    A relay waits in a program of its own or of the host first, and otherwise for the program that it drives.
    """
    if not isinstance(program, GeneratorType) or program.gi_frame is None:
        return None
    frame = program.gi_frame
    for inner in (program.gi_yieldfrom, *(frame.f_locals.get(name) for name in _RELAYED)):
        found = _innermost(inner, wanted)
        if found is not None:
            return found
    return frame if wanted(frame.f_code.co_filename) else None


def suspended(program: Any) -> str | None:
    """Return where a suspended program waits: in the author's file if it does, else in the innermost program."""
    for wanted in (is_authors, lambda file: not file.startswith(_RELAYS), lambda file: True):
        frame = _innermost(program, wanted)
        if frame is not None:
            return of_code(frame.f_code, frame.f_lineno)
    return None


def mutable_in(program: Any) -> str | None:
    """Say which local of a suspended program, or of one that it drives, holds a list, dict or set; None if none does.

    The package's own relays are left out: what they hold, they do not keep from step to step.
    """
    while isinstance(program, GeneratorType) and program.gi_frame is not None:
        frame = program.gi_frame
        if not frame.f_code.co_filename.startswith(_RELAYS):
            for name in frame.f_code.co_varnames:
                if type(value := frame.f_locals.get(name)) in _MUTABLE:
                    return f"{of_code(frame.f_code, frame.f_lineno)}: {mutable_local(name, repr(value))}"
        inner = program.gi_yieldfrom
        if inner is None:
            inner = next((frame.f_locals[name] for name in _RELAYED if name in frame.f_locals), None)
        program = inner
    return None


def at_step(error: Exception, program: Any, step: Any) -> Exception:
    """Return ``error``, which the step of a suspended program caused, as one that says where the step is yielded.

    An error of an engine, one that says it already, and one that a program itself raised are returned themselves.
    """
    if isinstance(error, AuthorError | EngineError) or not isinstance(error, OF_A_STEP) or _of_a_program(error):
        return error
    where = suspended(program)
    text = " ".join(str(error).split())
    if not isinstance(error, WorkbenchError):
        text = f"{step!r} cannot be done: {type(error).__name__}: {text}"
    return AuthorError(f"{where}: {text}" if where else text)


def _of_a_program(error: Exception) -> bool:
    """Tell whether a program raised the error: a suspended program has no frame in its traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(not frame.filename.startswith(_RELAYS) for frame in frames)


def raised(error: BaseException) -> str:
    """Return an exception of an author's program with its place in the author's file, in one line.

    Without a frame outside the package it is the innermost frame's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_authors(frame.filename)]
    last = (own or frames)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({shown(last.filename, last.lineno or 0)})"
