"""A figure in a page with a light and a dark theme: the SVG of ``images``, each colour with its dark partner."""

from __future__ import annotations

import re
from html import escape

from matplotlib.figure import Figure

from workbench.errors import WorkbenchError
from workbench.present.figures.images import svg
from workbench.present.figures.style import EDGE, INK, LOOKS, PALE_INK, PARTS, TONES

PAPER = ("#ffffff", "#161616")
#: Greys that figures use, by what each is in a dark theme; the lines of a grid stay pale, words stay readable.
_GREYS = {
    INK: "#ececec", PALE_INK: "#b0b0b0", EDGE: "#a8a8a8", "#dddddd": "#3a3a3a", "#bbbbbb": "#6a6a6a",
    "#999999": "#7a7a7a", "#f2f2f2": "#2c2c2c",
    **dict(zip((colour for colour, _ in PARTS), ("#c0c0c0", "#6a6a6a", PAPER[1]), strict=True)),
}  # fmt: skip
DARK = {
    **{tone.fill: tone.dark_fill for tone in TONES.values()},
    **{look.colour: look.dark for look in LOOKS},
    **_GREYS,
    PAPER[0]: PAPER[1],
}
_COLOUR = re.compile(r"#[0-9a-f]{6}(?=[;\"])")


def inline(figure: Figure, says: str) -> str:
    """Return the figure as an SVG element in the colours of the page's theme; ``says``: its text alternative.

    Raises WorkbenchError for a colour that has no dark partner.
    """
    text = svg(figure).decode()
    drawn = text[text.index("<svg") :]
    for unwanted in (r"<metadata>.*?</metadata>\s*", r"<style.*?</style>\s*"):
        drawn = re.sub(unwanted, "", drawn, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', drawn)
    drawn = re.sub(r"<svg[^>]*>", f"<svg {box[0] if box else ''}>", drawn, count=1).replace("xlink:href", "href")
    drawn = drawn.replace("<svg", f'<svg role="img" aria-label="{escape(says)}" class="figure"', 1)
    drawn = re.sub(r'\bfill="(#[0-9a-f]{6})"', r'style="fill: \1"', drawn)  # an attribute cannot hold two colours
    return _COLOUR.sub(_both, drawn).strip()


def _both(found: re.Match[str]) -> str:
    light = found[0]
    if light not in DARK:
        raise WorkbenchError(f"the colour {light} of a figure has no dark partner; there are {', '.join(sorted(DARK))}")
    return f"light-dark({light}, {DARK[light]})"


__all__ = ["DARK", "inline"]
