"""How protocols and fates look in figures: fixed for each of them, and distinguishable in greyscale.

Colours are those of Okabe and Ito, "Color Universal Design" (2008), in an order in which neighbours differ in
brightness; each has a line style, a marker and a hatch, so that no figure depends on colour.
"""

from collections.abc import Iterable
from typing import NamedTuple

from workbench.core.outcome import SEVERITY
from workbench.protocols import PROTOCOLS


class Look(NamedTuple):
    """One protocol's look in every figure."""

    colour: str
    dashes: str
    marker: str
    hatch: str


LOOKS = (
    Look("#d55e00", "-", "o", ""),
    Look("#0072b2", "--", "s", "////"),
    Look("#999999", ":", "x", "...."),
    Look("#009e73", "-.", "^", "xxxx"),
    Look("#cc79a7", "-.", "D", "++++"),
    Look("#56b4e9", "-", "v", "\\\\\\\\"),
    Look("#e69f00", "--", "P", "oooo"),
    Look("#000000", ":", "*", "||||"),
)


def looks(protocols: Iterable[str]) -> dict[str, Look]:
    """Return the look of each protocol: built-in protocols have fixed looks, others take the next ones."""
    fixed = list(PROTOCOLS)
    others = [name for name in dict.fromkeys(protocols) if name not in fixed]
    order = fixed + others
    return {name: LOOKS[order.index(name) % len(LOOKS)] for name in order}


#: From harmless (light) to harmful (dark); brightness alone gives the order.
_SHADES = ("#ffffff", "#f2f2f2", "#d9ecd9", "#fbe3b0", "#f4b97a", "#d9684a", "#8e2230")
FATE_COLOUR = {fate.value: shade for fate, shade in zip(SEVERITY, _SHADES, strict=True)}
DARK_FATES = {fate.value for fate in SEVERITY[-1:]}

#: Parts of a bar that are not protocols: (grey, hatch).
PARTS = (("#444444", ""), ("#bbbbbb", ""), ("#ffffff", "////"))
