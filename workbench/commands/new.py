"""``workbench new NAME --style STYLE``: write a design to begin with, and a notebook that shows what it does.

NAME.py is one commented file with every method, numbered clauses and one mitigation; it passes workbench check as it
is. NAME.ipynb is beside it. A file that is there already is never overwritten.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from workbench.commands import _options


def add(subparsers: Any) -> None:
    """Declare the command."""
    from workbench.present.new_design.styles import STYLES

    parser = _options.add_command(
        subparsers, "new", run, "write a design of your own to begin with",
        description=__doc__,
        example="workbench new my_call --style hypercall",
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", help="the design's name: small letters, digits and _")
    parser.add_argument("--style", choices=tuple(STYLES), default="msr", help="how the guest asks (default msr)")
    parser.add_argument("--feature", action="store_true", help="the file also defines a feature of its own")
    parser.add_argument("--folder", type=Path, default=Path(), metavar="DIR", help="where to write (default: here)")


def run(args: argparse.Namespace) -> int:
    """Write both files, and say what to do next."""
    from workbench.present.new_design.create import create

    program, notebook = create(args.name, args.style, args.folder, feature=args.feature)
    sys.stdout.write(f"wrote {program} and {notebook}\nnext: workbench check {program}\n")
    return 0
