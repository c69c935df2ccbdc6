"""The page that decides as a view: designs by columns, each cell with what was seen and the command that shows it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from workbench.measure.verdict.columns import COLUMNS
from workbench.measure.verdict.page import BEST, WORST, Page
from workbench.measure.verdict.shown import sentences
from workbench.present.figures.style import VERDICT_TONES
from workbench.present.text.verdict import verdict_text
from workbench.present.web.view import View

HINT = (
    "Point at a cell, or go from cell to cell with the arrow keys: it is explained here. A column's name sorts by it."
)
_MEANINGS = {BEST: "no design of this page is better in this column", WORST: "none is worse"}


def verdict_page(shown: Page, words: Sequence[str] = ()) -> View:
    """Return a page as a view; ``words``: what follows ``workbench page verdict`` to write it again."""
    rows = [
        {
            "name": label,
            "what": shown.asked[label].variant.kind.title,
            "cells": [_cell(shown, label, name) for name in COLUMNS],
            "differs": False,
        }
        for label in shown.cells
    ]
    text, said = verdict_text(shown), sentences(shown)
    data: dict[str, Any] = {
        "title": "The page that decides",
        "answer": said[0] if said else "",
        "notes": said[1:],
        "corner": "design",
        "columns": list(COLUMNS),
        "explained": [f"{column.title} ({column.criterion})" for column in COLUMNS.values()],
        "rows": rows,
        "sorts": True,
        "meanings": _MEANINGS,
        "tones": VERDICT_TONES,
        "hint": HINT,
        "file": "verdict",
        "command": f"{shlex.join(['workbench', 'page', 'verdict', *words])} -o verdict.html",
        "text": text,
    }
    return View("words", data, text)


def _cell(shown: Page, label: str, name: str) -> dict[str, Any]:
    cell = shown.cells[label][name]
    why = f"{COLUMNS[name].title}. {cell.seen}. $ {' '.join(cell.command)}"
    return {"word": cell.text, "why": why, "rank": cell.rank, "tone": VERDICT_TONES[shown.standing(label, name)]}


__all__ = ["verdict_page"]
