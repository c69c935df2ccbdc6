"""Sentences and quotes as lines of at most 72 columns of ASCII."""

from __future__ import annotations

import unicodedata
from textwrap import wrap

from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only

MARK = "> "
DEEPEST = 20  #: levels of quotes that are kept
#: What mail programs put in place of what was typed.
_TYPED = str.maketrans({
    **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"), **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"), **dict.fromkeys("\u2022\u25cf\u00b7", "*"),
    **dict.fromkeys("\u00ad\u200b\ufeff", ""), "\u00df": "ss", "\u00e6": "ae", "\u00f8": "o", "\u0142": "l",
})  # fmt: skip


def typed(text: str) -> str:
    """Return text as a keyboard of ASCII types it: straight quotes, hyphens, letters without accents, no tabs.

    What cannot be typed stays, and is an escape where text is printed as ASCII.
    """
    parts = unicodedata.normalize("NFKD", text.translate(_TYPED))
    return "".join(one for one in parts if not unicodedata.combining(one)).expandtabs()


def wrapped(text: str, more: str = "") -> str:
    """Return text as lines of 72 columns of ASCII; lines after the first begin with ``more``."""
    lines = wrap(ascii_only(text), WIDTH, subsequent_indent=more, break_on_hyphens=False)
    return "".join(f"{line}\n" for line in lines)


def quoted(paragraph: str) -> str:
    """Return a paragraph as a quote of at most 72 columns of ASCII; the marks of older quotes are kept."""
    lines = []
    for line in (ascii_only(typed(one)) for one in paragraph.split("\n")):
        marks = line[: len(line) - len(line.lstrip("> "))] if line.startswith(">") else ""
        lead = MARK + marks if not marks or marks.endswith(" ") else f"{MARK}{marks} "
        lead = lead if len(lead) <= len(MARK) * DEEPEST else MARK * DEEPEST
        lines += wrap(line.removeprefix(marks), WIDTH, initial_indent=lead, subsequent_indent=lead,
                      break_on_hyphens=False) or [lead.rstrip()]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)
