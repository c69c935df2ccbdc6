"""Lines of a text for a terminal or a mail: 72 columns of ASCII, further lines indented by two more."""

from __future__ import annotations

from textwrap import wrap

from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only


def wrapped(text: str) -> list[str]:
    """Return the lines of one paragraph, at the indentation with which it begins; no word is broken at a hyphen."""
    indent = " " * (len(text) - len(text.lstrip()))
    return wrap(ascii_only(text.strip()), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ",
                break_on_hyphens=False)  # fmt: skip
