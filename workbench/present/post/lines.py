"""Sentences and quotes as lines of at most 72 columns of ASCII."""

from __future__ import annotations

from textwrap import wrap

from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only

MARK = "> "


def wrapped(text: str, more: str = "") -> str:
    """Return text as lines of 72 columns of ASCII; lines after the first begin with ``more``."""
    lines = wrap(ascii_only(text), WIDTH, subsequent_indent=more, break_on_hyphens=False)
    return "".join(f"{line}\n" for line in lines)


def quoted(paragraph: str) -> str:
    """Return a paragraph as a quote of at most 72 columns of ASCII; the marks of older quotes are kept."""
    lines = []
    for line in map(ascii_only, paragraph.split("\n")):
        marks = line[: len(line) - len(line.lstrip("> "))] if line.startswith(">") else ""
        lead = MARK + marks if not marks or marks.endswith(" ") else f"{MARK}{marks} "
        lines += wrap(line.removeprefix(marks), WIDTH, initial_indent=lead, subsequent_indent=lead,
                      break_on_hyphens=False) or [lead.rstrip()]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)
