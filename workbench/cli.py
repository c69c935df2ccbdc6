"""The command line: ``workbench COMMAND ...``, also ``python -m workbench``.

Each file in ``workbench/commands`` is one command: ``add(subparsers)`` declares it, ``run(args)`` runs it
and returns the exit status. A user error prints one line on stderr that begins with ``workbench:``; the status is 2.
"""

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn

import workbench
from workbench import commands
from workbench.errors import WorkbenchError

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises WorkbenchError, so that its errors are printed in one line like all others."""

    def error(self, message: str) -> NoReturn:
        raise WorkbenchError(message)


def parser() -> Parser:
    """Return the parser with all commands."""
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
    for module in pkgutil.iter_modules(commands.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{commands.__name__}.{module.name}").add(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    try:
        args = parser().parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("workbench: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, a pager) closed the pipe; otherwise Python reports that again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
