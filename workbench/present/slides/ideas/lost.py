"""The lost registration: after a migration the guest believes what the new host does not know."""

from __future__ import annotations

from workbench.core.steps import Exit, Note, Set
from workbench.measure.exploration.explore import Question, TraceRow
from workbench.present.slides.sequence import Part, sequence
from workbench.present.slides.slide import Slide
from workbench.present.web.traces import recording_of


def slide() -> Slide:
    """Search every interleaving of a migration for a registration that is lost."""
    found = recording_of(Question.of("generic", "migrate", ["steal_time"]), "lost-registration")
    since = found.ending.since if found.ending else None
    return Slide(
        "What does a migration lose?",
        sequence("lost registration: the steps that leave the guest, or change what a side knows",
                 [Part("", found.rows, since)], keep=_tells),
        "The new host has memory but no registry: the guest believes that its area is served, no byte arrives there, "
        "and nobody is told.",
        "workbench page trace generic --events migrate --property lost-registration -o lost.html",
    )  # fmt: skip


def _tells(row: TraceRow) -> bool:
    return row.side == "event" or isinstance(row.own_step, (Exit, Note, Set))
