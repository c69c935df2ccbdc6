"""How like normal hardware each design is, point by point."""

from __future__ import annotations

from workbench.features import choose
from workbench.measure import variants
from workbench.measure.likeness.checklist import NO, POINTS, YES, likeness
from workbench.present.slides.slide import Slide
from workbench.present.slides.words import Cell, table

DESIGNS = ("generic", "per_feature")
TONES = {YES: "good", NO: "bad"}


def slide() -> Slide:
    """Try every point of the checklist on each design."""
    found = {one.label: likeness(one, choose()) for one in variants(DESIGNS)}
    rows = []
    for point in POINTS:
        words = [found[design][point.name].word for design in DESIGNS]
        rows.append((point.name, [Cell(word, TONES.get(word, "plain")) for word in words]))
    likes = {design: sum(answer.word == YES for answer in found[design].values()) for design in DESIGNS}
    return Slide(
        "Is this how normal hardware operates?",
        table("points of likeness, each tried on the running design", DESIGNS, rows),
        f"Of {len(POINTS)} points generic has {likes['generic']} and per_feature {likes['per_feature']}: the objection "
        "of 2011 is right, and it holds in part against what KVM chose.",
        "workbench hardware",
    )
