"""The colours of figures and views: of each protocol, and of what became of an area. Both have them from here.

Protocols: each colour has a contrast of 3:1 and more with the paper (WCAG 2.2, 1.4.11), and any two are apart from
each other for colour-blind eyes too (simulated as in Machado, Oliveira, Fernandes, "A Physiologically-based Model for
Simulation of Color Vision Deficiency", 2009). The first two are those of Okabe and Ito, "Color Universal Design"
(2008). Each has a line style and a marker too, and stands beside its name, so that nothing depends on colour.
"""

from collections.abc import Iterable
from typing import NamedTuple

from workbench.core.outcome import Fate
from workbench.measure.skew.run import BROKE_OFF, LOST, NOTHING, REFUSED, UNUSED, WORKS, WORSE
from workbench.measure.verdict.page import ALONE, BEST, BETWEEN, WORST
from workbench.protocols import FIRST

INK, PALE_INK, EDGE = "#1a1a1a", "#555555", "#444444"


class Look(NamedTuple):
    """One protocol's look in every figure and every view."""

    colour: str
    dark: str  #: the colour in a dark theme
    dashes: str
    marker: str


LOOKS = (
    Look("#d55e00", "#ff8f3d", "-", "o"),
    Look("#0072b2", "#68a2e9", "--", "s"),
    Look("#8a8a8a", "#a5a5a5", ":", "x"),
    Look("#00a65c", "#5dff7e", "-.", "^"),
    Look("#962564", "#b43d90", "-.", "D"),
    Look("#0097ff", "#b0dcff", "-", "v"),
    Look("#8e1c0f", "#ffd4b7", "--", "P"),
    Look("#000000", "#ffffff", ":", "*"),
)


def looks(protocols: Iterable[str]) -> dict[str, Look]:
    """Return the look of each protocol: the first ones have fixed looks; others take those that are free, in order."""
    names = list(dict.fromkeys(protocols))
    fixed = {name: LOOKS[at] for at, name in enumerate(FIRST)}
    free = [*LOOKS[len(fixed) :], *(look for name, look in fixed.items() if name not in names)] or list(LOOKS)
    others = [name for name in names if name not in fixed]
    return {**fixed, **{name: free[at % len(free)] for at, name in enumerate(others)}}


class Tone(NamedTuple):
    """How good or bad news looks: what it is filled with and the colour of its words, on paper and in a dark theme."""

    fill: str
    dark_fill: str
    ink: str = INK
    dark_ink: str = "#ececec"


TONES = {
    "good": Tone("#d8ebf7", "#21465c"),
    "plain": Tone("#eeeeee", "#3a3a3a"),
    "warn": Tone("#fbdcbb", "#5b3913"),
    "bad": Tone("#f0a6a0", "#7a2a24"),
    "worst": Tone("#8a1026", "#ffb3bf", "#ffffff", "#1a1a1a"),
}
FATE_TONES = {
    Fate.REGISTERED.value: "good", Fate.RELEASED.value: "good", Fate.REFUSED.value: "plain",
    Fate.UNSUPPORTED.value: "plain", Fate.SILENT.value: "warn", Fate.LOST.value: "bad", Fate.STALE.value: "worst",
    Fate.ENDED.value: "worst",
}  # fmt: skip

SKEW_TONES = {
    WORKS: "good", UNUSED: "plain", REFUSED: "plain", NOTHING: "plain", LOST: "bad", WORSE: "worst", BROKE_OFF: "warn",
}  # fmt: skip

VERDICT_TONES = {BEST: "good", BETWEEN: "plain", WORST: "bad", ALONE: "none"}

#: Parts of a bar that are not protocols: (grey, hatch).
PARTS = (("#5a5a5a", ""), ("#c8c8c8", ""), ("#ffffff", "////"))
