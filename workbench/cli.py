"""The command line: ``workbench COMMAND ...``, also ``python -m workbench``.

Each file in ``workbench/commands`` is one command: ``add(subparsers)`` declares it, ``run(args)`` runs it and returns
the exit status. Every way to end has a status of its own:

* 0: done; 1: done, and the answer is no (a difference, a failed check), or the system let it not be done or written;
* 2: an error of the user or of the user's file, in one line on stderr that begins with ``workbench:``; names that are
  allowed follow in columns if they do not fit into it;
* 130, 143: stopped by Ctrl-C, by SIGTERM. No result is printed or written then (with ``--partial``: what is known by
  then); a file that was there stays. The one line says what is kept.
"""

import argparse
import errno
import importlib
import io
import os
import pkgutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

import workbench
from workbench import commands
from workbench.commands._ending import ending, fault_of_a_file, told
from workbench.commands._room import room_for_numpy
from workbench.errors import WorkbenchError, unknown
from workbench.printable import printable

#: What ended a command for lack of memory: what the interpreter does before it exits may then fail too, and print that.
without_memory: list[BaseException] = []
_OURS = "workbench: "  # begins every line that says why a command ends
_LONGEST = 600  # characters of a word in a message; what was given may have thousands
STOPPED = 128  # plus the number of the signal, as shells report it


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises WorkbenchError, so that its errors are printed like all others."""

    def error(self, message: str) -> NoReturn:
        raise WorkbenchError(message)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or version; argparse itself would say nothing of a device that is full."""
        if message:
            (file or sys.stderr).write(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is not one of the choices, and say which one was perhaps meant."""
        if action.choices is not None and value not in action.choices:
            sort = str(action.metavar or action.dest).lower() if action.option_strings == [] else "value"
            where = f"argument {'/'.join(action.option_strings)}: " if action.option_strings else ""
            raise unknown(sort, str(value), map(str, action.choices)).within(where, WorkbenchError)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse an option that this parser does not know, and say which one was perhaps meant."""
        found, left = super().parse_known_args(args, namespace)
        wrong = next((text for text in left if text.startswith("--")), None)
        if wrong is not None:
            options = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
            raise unknown(f"option of {self.prog}", wrong.partition("=")[0], options)
        return found, left


def parser(argv: Sequence[str] = ()) -> Parser:
    """Return the parser of a command line: with the command that ``argv`` begins with, or else with all commands."""
    top = Parser(
        prog="workbench",
        description="Compare the ways in which a KVM guest registers shared memory with its hypervisor.",
        epilog="example: workbench compare --vcpus 64",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"workbench {workbench.__version__}")
    subparsers = top.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True, parser_class=Parser
    )
    names = [one.name for one in pkgutil.iter_modules(commands.__path__) if not one.name.startswith("_")]
    for name in names if not set(argv[:1]) & set(names) else argv[:1]:
        importlib.import_module(f"{commands.__name__}.{name}").add(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    with _ended_by_signals() as received, room_for_numpy():
        try:
            status = _run(argv, received)
            sys.stdout.flush()
        except WorkbenchError as error:
            return _ended(2, *told(error, _width() - len(_OURS)))
        except KeyboardInterrupt as stop:
            fault = None if received else fault_of_a_file(stop)
            if fault is not None:
                return _ended(2, fault)
            number = received[0] if received else signal.SIGINT
            word = "interrupted" if number == signal.SIGINT else "terminated"
            return _ended(STOPPED + number, "; ".join([word, *getattr(stop, "__notes__", ["nothing is kept"])]))
        except BaseException as error:  # noqa: BLE001 - every way to end is one line
            without_memory.extend([error] if isinstance(error, MemoryError | ImportError | SystemError) else [])
            if isinstance(error, OSError):
                _drop_stdout()
            return _ended(*ending(error))
    return status


def _run(argv: Sequence[str] | None, received: list[int]) -> int:
    # NumPy's linear algebra is not used; its threads would need memory and processes that may be limited.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _open_what_is_closed()
    if sys.stdout is None:
        sys.stdout = _ClosedStdout()
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # the same bytes whatever the locale
    try:
        words = sys.argv[1:] if argv is None else argv
        args = parser(words).parse_args(words)
    except SystemExit as said:  # --help, --version: argparse has printed, and would let Python flush unseen
        return int(said.code or 0)
    from workbench.commands import _options  # not before: what it imports may raise an error that main() prints

    _options.check_output(args)
    _options.name_vmms(args)
    args.received = received
    try:
        status: int = args.run(args)
    except KeyboardInterrupt as stop:
        if "state" in args and args.state is None:
            stop.add_note("nothing is kept; with --state DIR what is finished would be")
        raise
    except Exception as error:
        if received:  # something took the stop for a failure, or failed because of it
            raise KeyboardInterrupt from error
        raise
    if received and not getattr(args, "partial", False):
        raise KeyboardInterrupt
    return status


def _ended(status: int, said: str, *below: str) -> int:
    """Say in one line on stderr, if there is one and there is something to say, why the command ends; return status.

    ``below``: further lines, of names that are allowed.
    """
    words = (word if len(word) <= _LONGEST else f"{word[: _LONGEST // 2]}..." for word in said.split())
    if said and sys.stderr is not None:
        with suppress(OSError):  # then the status alone tells it
            print("\n".join([f"{_OURS}{printable(' '.join(words))}", *below]), file=sys.stderr)
    return status


def _width() -> int:
    """Return the columns of the terminal that errors go to, 80 if they go elsewhere."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def _open_what_is_closed() -> None:
    """Let descriptors 0 to 2 be something: a file opened in their place would be read or written as if it were them."""
    while True:
        found = os.open(os.devnull, os.O_RDWR)
        if found > 2:
            os.close(found)
            return


class _ClosedStdout:
    """In place of a standard output that was closed before the start: writing is the error that it would have been."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "it is closed")

    def flush(self) -> None:
        """Do nothing: nothing was written."""

    def isatty(self) -> bool:
        return False


def _drop_stdout() -> None:
    """Throw away what is not yet written; otherwise Python reports the error again when it flushes at exit."""
    with suppress(OSError, AttributeError):  # there may be no descriptor to flush to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Stopped(KeyboardInterrupt):
    """What a signal raises. Not KeyboardInterrupt itself: Python takes one that passes an ``exec`` of a text (each
    dataclass has one) for one that nobody caught, and ends by SIGINT in place of the status of ``main``.
    """


@contextmanager
def _ended_by_signals() -> Iterator[list[int]]:
    """Let SIGTERM end the command as Ctrl-C does; yield the signals that were received, in order."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise _Stopped

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's background job ignores Ctrl-C
                before[number] = signal.signal(number, stop)
    except ValueError:
        pass  # not in the main thread: signals are somebody else's
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
