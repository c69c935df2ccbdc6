"""Version skew as a view: combinations by designs, each cell with what was seen and the command that shows it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from workbench.core import own_files
from workbench.core.contracts import Feature
from workbench.features import choose
from workbench.measure.skew.combinations import ALL, PARTS
from workbench.measure.skew.run import MEANING
from workbench.measure.skew.table import BAD, Cell, Row, bad_share, by_the_rules, cells, parts_named, rows
from workbench.measure.variants import DEFAULT, Variant, variants
from workbench.present.figures.style import SKEW_TONES
from workbench.present.text.skew import skew_text
from workbench.present.web.again import name_of
from workbench.present.web.view import View
from workbench.present.web.word_tables import HINT


def version_skew(
    protocols: Sequence[str | Variant] = DEFAULT, features: Iterable[str | Feature] | None = None,
    parts: Iterable[str] | None = None, *, vcpus: int = 1, progress: Callable[[int, int], None] | None = None,
) -> View:  # fmt: skip
    """Return the table of version skew of some designs; raise WorkbenchError for an unknown name."""
    chosen, named = variants(protocols), parts_named(parts)
    areas = None if features is None else choose(features)
    by_label = {one.label: name_of(one) for one in chosen}
    found = rows(chosen, areas, named, vcpus=vcpus, named=by_label, progress=progress)
    several, labels = cells(found), [one.label for one in chosen]
    lines = []
    for part, name in dict.fromkeys((row.part, row.combination) for row in found):
        own = [several[part, name, label] for label in labels]
        lines.append(
            {
                "name": name,
                "group": PARTS[part][0],
                "what": ALL[name].said,
                "cells": [_cell(cell, _of(found, part, name, label)) for cell, label in zip(own, labels, strict=True)],
                "differs": any(cell.verdict in BAD for cell in own),
            }
        )
    text = skew_text(found)
    data: dict[str, Any] = {
        "title": "Version skew: old and new guests, kernels and VMMs",
        "answer": f"Runs in which an area is lost, or worse: {_told(found, labels)}{_ruled(found, labels)}.",
        "corner": "combination",
        "columns": labels,
        "rows": lines,
        "only": "only where something is lost, or worse (marked at the left)",
        "meanings": MEANING,
        "tones": SKEW_TONES,
        "hint": HINT,
        "file": "skew",
        **_again(chosen, areas, named, vcpus),
        "text": text,
    }
    return View("words", data, text)


def _told(found: Iterable[Row], labels: Sequence[str]) -> str:
    return ", ".join(f"{label} {bad} of {of}" for label in labels for bad, of in [bad_share(found, label)])


def _ruled(found: Iterable[Row], labels: Sequence[str]) -> str:
    ruled = by_the_rules(found)
    return f"; where CPUID says what is known, and the guest heeds it: {_told(ruled, labels)}" if ruled else ""


def _of(found: Iterable[Row], part: str, name: str, label: str) -> list[Row]:
    return [row for row in found if (row.part, row.combination, row.protocol) == (part, name, label)]


def _cell(cell: Cell, own: Sequence[Row]) -> dict[str, str]:
    """Return a cell: its worst verdict, how many features have which, what was seen of one, and the command."""
    first = next(row for row in own if row.verdict == cell.verdict)
    counts = f"{cell.text}. " if len(cell.counts) > 1 else ""
    return {"word": cell.verdict, "why": f"{counts}{first.feature}: {first.seen}. $ {first.command}"}


def _again(
    chosen: Sequence[Variant], areas: tuple[Feature, ...] | None, parts: Sequence[str], vcpus: int
) -> dict[str, str]:
    names = [name_of(one) for one in chosen]
    features = None if areas is None else [own_files.named(one) for one in areas]
    words = ["workbench", "page", "skew", "--protocols", ",".join(names)]
    words += [] if features is None else ["--features", ",".join(features)]
    words += [] if len(parts) == len(PARTS) else ["--about", ",".join(parts)]
    words += [] if vcpus == 1 else ["--vcpus", str(vcpus)]
    call = f"version_skew({names!r}, {features!r}, {list(parts)!r}, vcpus={vcpus})"
    return {
        "command": f"{shlex.join(words)} -o skew.html",
        "python": f"from workbench.present.web import version_skew\n\n{call}\n",
    }


__all__ = ["version_skew"]
