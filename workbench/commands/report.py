"""``workbench report``: write text, tables, figures and executed notebooks into a directory."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from workbench.commands import _options
from workbench.paths import NOTEBOOKS


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "report", run, "write text, tables, figures and notebooks into a directory",
        description=__doc__,
        example="workbench report report/ --vcpus 64",
    )  # fmt: skip
    parser.add_argument("directory", type=Path, metavar="DIR", help="created if missing; other files in it are kept")
    _options.add_subject(parser)
    parser.add_argument("--no-notebooks", action="store_true", help="do not execute the notebooks")
    _options.add_state(parser, "runs and executed notebooks")
    parser.set_defaults(metrics=None)


def run(args: argparse.Namespace) -> int:
    """Measure and write; the directory's files are replaced only when all new ones are complete."""
    from workbench.present import files, report
    from workbench.present.notebooks import notebooks
    from workbench.present.progress import Progress

    parameters = _options.parameters("report", args, args.directory)
    say = Progress()
    with _options.opened_state(args) as store, files.whole_directory(args.directory) as folder:
        found = report.measure(parameters, say, store=store)
        say("writing tables and figures")
        report.write(folder, found, parameters, say)
        if not args.no_notebooks:
            notebooks.write_all(NOTEBOOKS, folder, say, store)
        count = sum(1 for _ in folder.iterdir())
    sys.stdout.write(f"{count} files in {args.directory}; begin with {args.directory / 'report.txt'}\n")
    return 0
