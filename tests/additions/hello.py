"""``workbench hello``, a made-up command that greets the protocols."""

import argparse
import sys
from typing import Any


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("hello", help="greet the protocols", description=__doc__, allow_abbrev=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write one line."""
    from workbench.protocols import PROTOCOLS

    sys.stdout.write(f"hello, {', '.join(PROTOCOLS)}\n")
    return 0
