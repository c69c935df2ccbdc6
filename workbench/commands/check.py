"""``workbench check FILE[:Class]``: check a design of your own: its text, its runs, single operations.

Each line is PASS, FAIL or SKIP with the reason. Exit status: 0 if nothing failed, 1 if something did, 2 (with one line)
for a file or a class that is not there.
"""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

from workbench.commands import _options

if TYPE_CHECKING:
    from workbench.measure.design_check import Report

_WIDTH = 100
_INDENT = " " * 6


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "check", run, "check a design of your own before you compare it",
        description=__doc__,
        example="workbench check my/file.py:Mine",
    )  # fmt: skip
    parser.add_argument("protocol", metavar="PROTOCOL", help="path/to/file.py:Class, or a name; +MITIGATION")
    _options.add_names(parser, "--features", "features (default all that ship, and those of the file)")
    _options.add_result_file(parser)


def run(args: argparse.Namespace) -> int:
    """Check, and write the lines."""
    from workbench.measure.design_check import check
    from workbench.present.progress import Progress

    report = check(args.protocol, Progress(), _options.unique(args.features))
    _options.write(args, as_text(report))
    return 1 if report.failed else 0


def as_text(report: Report) -> str:
    """Return a report as text: a line for each check, a summary, what is vacuous, what comes next."""
    parts = [f"check of {report.label}", ""]
    for line in report.lines:
        parts += textwrap.wrap(
            f"{line.status}  {line.what}: {line.text}", _WIDTH, subsequent_indent=_INDENT, break_on_hyphens=False,
            break_long_words=False,
        )  # fmt: skip
    counts = {status: sum(line.status == status for line in report.lines) for status in ("PASS", "FAIL", "SKIP")}
    parts += ["", f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped"]
    if report.vacuous:
        parts += textwrap.wrap(
            f"Properties that say nothing about this design at boot, kexec and migrate: {', '.join(report.vacuous)}.",
            _WIDTH,
        )
    parts += ["", "Next:", *(f"  {text}" for text in report.following)]
    return "\n".join(parts) + "\n"
