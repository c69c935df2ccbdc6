"""The failure matrix of both designs: which failures an exhaustive search finds in which event."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from workbench.checking.failures import FAILURES
from workbench.engines.explore import FAILS, HOLDS
from workbench.measure import variants
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.mitigations import mitigated
from workbench.present.notebooks.searching import Searches, search_all
from workbench.present.slides.slide import Slide
from workbench.present.slides.words import Cell as Word
from workbench.present.slides.words import table

EVENTS = (
    "kexec-no-teardown", "migrate", "migrate-damaged", "old-host", "ignore-msrs", "double-registration-crossing",
    "hostile-bad-base", "descriptor-race",
)  # fmt: skip
FEATURES = ("async_pf", "wall_clock")
DESIGNS = ("generic", "per_feature")


def slide() -> Slide:
    """Search every interleaving of some events for every failure."""
    found = searched()
    rows = [(event, [_word(_of(found, event, design)) for design in DESIGNS]) for event in EVENTS]
    generic, linux = (len(found.failing(design)) for design in DESIGNS)
    return Slide(
        "Which failures does each design have?",
        table(f"the failures found in each event; 1 or 2 vCPUs, {' or '.join(FEATURES)}", DESIGNS, rows),
        f"A search of every interleaving finds {generic} failures under generic and {linux} under per_feature, and "
        "they are not the same.",
        f"workbench page matrix --events {','.join(EVENTS)} -o failures.html",
    )


@cache
def searched(*, repaired: bool = False) -> Searches:
    """Return the searches of the designs, bare or with all their mitigations; the slide of repairs shows them too."""
    designs = variants(DESIGNS)
    return search_all(mitigated(designs, ["all"]) if repaired else designs, EVENTS, FEATURES)


def _of(found: Searches, event: str, design: str) -> list[Cell]:
    return [cell for cell in found.of(design) if cell.event == event]


def _word(cells: Sequence[Cell]) -> Word:
    failing = [cell for cell in cells if cell.verdict == FAILS]
    if failing:
        return Word(", ".join(FAILURES[one.property].title for one in failing), "bad")
    holding = sum(cell.verdict == HOLDS for cell in cells)
    return Word(f"{holding} properties hold" if holding else "nothing exercised", "good" if holding else "")
