"""Where in the author's file something happened: of a suspended program, of a method, of an exception."""

import dis
import sysconfig
import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, GeneratorType, TracebackType
from typing import Any

from workbench.core.rules.wording import mutable_local, value_said
from workbench.errors import AuthorError, EngineError, WorkbenchError

#: The package's own folder; what lies elsewhere is an author's file.
_PACKAGE = Path(__file__).resolve().parents[2]
#: Where authors' files of another machine are laid out, each at its path there; None for files of this machine.
elsewhere: Path | None = None
#: Locals in which a relay (``core.driver``, ``core.relay``) holds the program that it drives.
_RELAYED = ("program", "handler")
#: Rooms that run the programs of others.
_RELAYS = tuple(str(_PACKAGE / room) for room in ("core", "checking", "engines", "clayout"))

_MUTABLE = frozenset({list, dict, set, bytearray, deque, defaultdict, Counter})

#: The instructions by which a program raises an exception itself.
_RAISES = frozenset({dis.opmap["RAISE_VARARGS"], dis.opmap["RERAISE"]})
#: Where Python's own modules and installed ones are.
_LIBRARIES = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")})

#: The most steps that a program may take, with those of handlers on its behalf, and how many more for each vCPU: a
#: restore takes some hundred for each.
MOST_STEPS, MORE_STEPS = 50_000, 500
#: The most steps of an event itself; 4,096 vCPUs that join, migrate and leave take some ten thousand.
MOST_EVENT_STEPS = 200_000

#: What a step with a wrong address, width or value raises.
OF_A_STEP = (WorkbenchError, TypeError, ValueError, AttributeError, OverflowError)


def shown(file: str, line: int) -> str:
    """Return ``file:line``; the path is relative to the current directory if it lies below that."""
    path = Path(file)
    with suppress(ValueError, OSError):
        return f"{path.resolve().relative_to(Path.cwd())}:{line}"
    return f"{at_home(path)}:{line}"


def moved_into(folder: Path, path: Path) -> Path:
    """Return where the file at an absolute ``path`` of another machine lies in ``folder``."""
    return folder / path.relative_to("/")


def at_home(path: Path) -> Path:
    """Return the path of a file on the machine that it comes from."""
    if elsewhere is not None and path.is_relative_to(elsewhere):
        return Path("/") / path.relative_to(elsewhere)
    return path


def of_code(code: CodeType, line: int | None = None) -> str:
    """Return ``file:line: Class.method`` for a place in ``code``; default: its first line."""
    return f"{shown(code.co_filename, line or code.co_firstlineno)}: {code.co_qualname.replace('.<locals>', '')}"


def is_authors(file: str) -> bool:
    """Tell whether ``file`` lies outside the package. "<string>" is code that Python made (of a dataclass)."""
    return file != "<string>" and not Path(file).resolve().is_relative_to(_PACKAGE)


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
        program = driven_by(program)
    return None


def driven_by(program: Any) -> Any:
    """Return what a suspended program waits in: the program that it yields from, or that it drives as a relay."""
    if program.gi_yieldfrom is not None:
        return program.gi_yieldfrom
    there = program.gi_frame.f_locals
    return next((there[name] for name in _RELAYED if name in there), None)


def never_ends(program: Any, most: int) -> AuthorError:
    """Return the error of a program that goes on after ``most`` steps; it says where it is."""
    where = suspended(program)
    return AuthorError(f"{where}: no end after {most:,} steps; a loop needs a bound")


def at_step(error: Exception, program: Any, step: Any) -> Exception:
    """Return ``error``, which the step of a suspended program caused, as one that says where the step is yielded.

    An error of an engine, one that says it already, and one that a program itself raised are returned themselves.
    """
    if isinstance(error, StopIteration):  # raised on, it would be taken for the end of a program
        return RuntimeError(said(error)).with_traceback(error.__traceback__)
    if isinstance(error, AuthorError | EngineError) or not isinstance(error, OF_A_STEP) or _of_a_program(error):
        return error
    where = suspended(program)
    if type(step) is tuple:
        _, step = step  # with its side
    text = " ".join(str(error).split())
    if not isinstance(error, WorkbenchError):
        text = _address_said(step) or f"{shown_as_text(step)} cannot be done: {type(error).__name__}: {text}"
    return AuthorError(f"{where}: {text}" if where else text)


def _address_said(step: Any) -> str | None:
    """Say that the address in a step is no number; None if it is one, or if the step has none."""
    gpa = getattr(step, "gpa", 0)
    if isinstance(gpa, int):
        return None
    why = ": Get and Load answer None where there is nothing, so ask for that first" if gpa is None else ""
    return f"the address of the {type(step).__name__} is {value_said(gpa)}; it must be a number of bytes, an int{why}"


def _of_a_program(error: Exception) -> bool:
    """Tell whether a program raised the error: a suspended program has no frame in its traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(not frame.filename.startswith(_RELAYS) for frame in frames)


def by_author(error: BaseException) -> bool:
    """Tell whether an exception is to be told as the fault of an author's program, and not to end the command.

    That is every Exception, and what is none (SystemExit, KeyboardInterrupt, GeneratorExit) if the author's file raised
    it. A KeyboardInterrupt that a signal brings is found at an instruction that raises nothing.
    """
    if isinstance(error, Exception):
        return True
    frames = [(frame, trace) for frame, trace in _frames(error) if _is_of_own_file(frame)]
    if not isinstance(error, KeyboardInterrupt) or not frames:
        return bool(frames)
    frame, trace = frames[-1]
    return trace.tb_next is None and frame.f_code.co_code[trace.tb_lasti] in _RAISES


def of_own_file(error: BaseException) -> bool:
    """Tell whether a file that was named by its path ran when the exception was raised."""
    return any(_is_of_own_file(frame) for frame, _ in _frames(_origin(error)))


def place_of_own_file(error: BaseException) -> str:
    """Return `` (file:line)`` if a file that was named by its path raised the exception itself, else an empty text."""
    last = [*_frames(error)][-1:]
    return "".join(f" ({shown(f.f_code.co_filename, t.tb_lineno)})" for f, t in last if _is_of_own_file(f))


def _is_of_own_file(frame: FrameType) -> bool:
    return Path(frame.f_globals.get("__name__", "")).is_absolute()  # so own_files calls their modules


def _origin(error: BaseException) -> BaseException:
    """Return the exception that a program raised: Python makes a RuntimeError of a StopIteration in a generator."""
    while type(error) is RuntimeError and isinstance(error.__context__, StopIteration | RuntimeError):
        error = error.__context__
    return error


def _frames(error: BaseException) -> Iterator[tuple[FrameType, TracebackType]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame, trace
        trace = trace.tb_next


def shown_as_text(value: Any) -> str:
    """Return the ``repr`` of a value, also if its own method for that fails."""
    try:
        return repr(value)
    except Exception as failure:  # noqa: BLE001 - the method is an author's, and this is told instead
        return f"<{type(value).__name__}, whose repr raises {type(failure).__name__}>"


def raised(error: BaseException) -> str:
    """Return an exception of an author's program with its place in the author's file, in one line.

    Without a frame of an author's it is the innermost frame's.
    """
    error = _origin(error)
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if is_authors(frame.filename)]
    own = [frame for frame in outside if not frame.filename.startswith(("<", *_LIBRARIES))]
    where = [f" ({shown(one.filename, one.lineno or 0)})" for one in (own or outside or frames)[-1:]]
    return f"{said(error)}{''.join(where)}"


def said(error: BaseException) -> str:
    """Return the class and the text of an exception in one line, also if its own method for that fails."""
    try:
        text = " ".join(str(error).split())
    except Exception as failure:  # noqa: BLE001 - the method is an author's, and this is told instead
        text = f"its text cannot be had, because {type(failure).__name__} was raised"
    name = type(error).__name__
    return f"{name}: {text}" if text else name
