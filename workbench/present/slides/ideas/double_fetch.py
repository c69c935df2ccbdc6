"""The double fetch: another vCPU changes a request between the host's two reads of it."""

from __future__ import annotations

from workbench.measure.exploration.explore import Question
from workbench.present.slides.sequence import Part, sequence
from workbench.present.slides.slide import Slide
from workbench.present.web.traces import recording_of


def slide() -> Slide:
    """Search every interleaving of a registration and another vCPU's store."""
    found = recording_of(Question.of("generic", "descriptor-race", ["wall_clock"]), "double-fetch")
    since = found.ending.since if found.ending else None
    return Slide(
        "Can another vCPU change the request while the host reads it?",
        sequence("double fetch: the shortest trace", [Part("", found.rows, since)], keep=lambda _: True),
        f"Yes, in {len(found.rows)} steps: the host checks what it read first, and uses what it reads the second time.",
        "workbench page trace generic --events descriptor-race --features wall_clock --property double-fetch "
        "-o double-fetch.html",
    )
