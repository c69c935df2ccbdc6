"""How like normal hardware each design is, point by point."""

from __future__ import annotations

from workbench.measure.likeness.checklist import NO, NOTHING, POINTS, YES, likeness
from workbench.present.post.asked import Asked
from workbench.present.post.section import Section
from workbench.present.text.command_line import option_pieces
from workbench.present.text.likeness import likeness_table, reasons


def section(asked: Asked, words: str) -> Section:
    """Return the checklist, and for each "no" the reason."""
    found = {one.label: likeness(one, asked.of(one)) for one in asked.variants}
    told = []
    for label, answers in found.items():
        asked_of = [one.word for one in answers.values() if one.word != NOTHING]
        told.append(f"{label} {sum(word == YES for word in asked_of)} of {len(asked_of)}")
    refused = {name for answers in found.values() for name, one in answers.items() if one.word == NO}
    return Section(
        "How normal hardware operates",
        f"Of what the registers of real hardware do, do as well: {', '.join(told)}.",
        [likeness_table(found), *reasons(found)],
        [("workbench hardware", *option_pieces("--protocols", asked.named), *asked.features_option())],
        sources=[f"{point.name}, in real hardware: {point.hardware}." for point in POINTS if point.name in refused],
    )
