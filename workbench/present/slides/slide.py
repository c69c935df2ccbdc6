"""A slide: one question, one picture that a run has computed, one sentence, and the command that shows the run."""

from __future__ import annotations

from typing import NamedTuple


class Slide(NamedTuple):
    """One idea. ``picture`` is HTML; everything else is plain text."""

    question: str
    picture: str
    sentence: str  #: the answer; every number in it is computed
    command: str  #: a command line, ``workbench ...``


__all__ = ["Slide"]
