"""``workbench report``: write a first page, text, tables, figures and executed notebooks into a directory."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from workbench.commands import _options
from workbench.paths import NOTEBOOKS
from workbench.present.figures.sizes import DEFAULT, SIZES


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
    parser.add_argument("--size", choices=tuple(SIZES), default=DEFAULT, help=f"of the figures (default {DEFAULT})")
    _options.add_state(parser, "runs and executed notebooks")
    parser.set_defaults(metrics=None)


def run(args: argparse.Namespace) -> int:
    """Measure and write; the directory's files are replaced only when all new ones are complete."""
    from workbench.present import files, index, report
    from workbench.present.notebooks import notebooks
    from workbench.present.progress import Progress
    from workbench.present.text.found import what_was_found

    parameters = _options.parameters("report", args, args.directory)
    say = Progress()
    with _options.opened_state(args) as store, files.whole_directory(args.directory) as folder:
        found = report.measure(parameters, say, store=store)
        say("writing tables and figures")
        report.write(folder, found, parameters, say, args.size)
        titles: dict[str, str] = {}
        if not args.no_notebooks:
            titles = notebooks.write_all(NOTEBOOKS, folder, say.counting("notebooks"), store)
        explored = index.explore(parameters.variants, say)
        text = what_was_found(found["comparison"], partial(index.failing, explored), parameters)
        files_there = index.files_of((path.name for path in folder.iterdir()), titles)
        page = index.first_page(parameters, explored, text, files_there, say)
        (folder / index.NAME).write_text(page, encoding="utf-8", newline="\n")
        count = sum(1 for _ in folder.iterdir())
    sys.stdout.write(f"{text}Look at {args.directory / index.NAME} first: it explains all {count} files.\n")
    return 0
