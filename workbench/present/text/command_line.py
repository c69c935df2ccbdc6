"""Command lines in texts: broken by backslashes at 72 columns, so that they can be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only

_INDENT = 4
_LONGEST_PIECE = WIDTH - _INDENT - len(" \\")


def option_pieces(option: str, values: Sequence[str]) -> list[str]:
    """Return ``option`` with its values, in several pieces where one would not fit into a line of 72 columns."""
    pieces = [f"{option} {shlex.quote(values[0])}"]
    for value in values[1:]:
        longer = f"{pieces[-1]},{shlex.quote(value)}"
        if len(longer) <= _LONGEST_PIECE:
            pieces[-1] = longer
        else:
            pieces.append(f"{option} {shlex.quote(value)}")
    return pieces


def command_lines(command: Sequence[str], lead: str) -> list[str]:
    """Return the command behind ``lead``, broken between its pieces."""
    lines = [lead + ascii_only(command[0])]
    for piece in map(ascii_only, command[1:]):
        if len(lines[-1]) + len(piece) + 3 <= WIDTH:
            lines[-1] += " " + piece
        else:
            lines[-1] += " \\"
            lines.append(" " * _INDENT + piece)
    return lines
