"""Exits of both designs, event by event."""

from __future__ import annotations

from workbench.measure import compare, pivot
from workbench.present.figures import figures
from workbench.present.figures.themed import inline
from workbench.present.slides.slide import Slide

EVENTS = ("boot", "cpu-hotplug", "kexec", "suspend-resume")
VCPUS = 64


def slide() -> Slide:
    """Run a guest of many vCPUs through some events."""
    table = compare(events=EVENTS, vcpus=VCPUS)
    boot = pivot(table, "exits").loc["boot"]
    return Slide(
        "Which design takes more exits?",
        inline(figures.exits_by_class(table, size="projector"), "exits of generic and per_feature in each event"),
        f"When {VCPUS} vCPUs boot, generic takes {boot['generic']} exits and per_feature {boot['per_feature']}, "
        "because asynchronous page faults need two registers.",
        f"workbench compare --events {','.join(EVENTS)} --metrics exits,user_exits",
    )
