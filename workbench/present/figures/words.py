"""Texts of figures: how wide they are, where they are broken, and numbers as words of a title.

Widths are measured with matplotlib's own font, so that a figure can be laid out before it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from workbench.measure.label import Label

if TYPE_CHECKING:
    import pandas

#: Hinting makes drawn letters a little wider than the outlines that are measured.
_SPARE = 1.03
_JOINTS = "_./:,-"  #: a word that is too long may be broken after these, if it has no mitigation's plus sign
NAMED = 3  #: as many protocols are all named in a title; of more, the least and the most


@cache
def width_of(text: str, points: float, weight: str = "normal") -> float:
    """Return the width of one line in inches."""
    font = FontProperties(size=points, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(drawable(text), font, False)
    return float(width) / 72 * _SPARE


def drawable(text: str) -> str:
    """Return the text with every character that the font does not have as an escape."""
    return "".join(one if one == "\n" or ord(one) in _letters() else f"\\u{ord(one):04x}" for one in text)


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def wrapped(text: str, inches: float, points: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text, each at most ``inches`` wide; a word is broken only where it is wider than that."""
    lines = [""]
    for word in text.replace("\n", " ").split(" "):  # not at the narrow blanks inside numbers
        for number, piece in enumerate(_pieces(word, inches, points, weight)):
            longer = f"{lines[-1]}{' ' if lines[-1] and not number else ''}{piece}"
            if not lines[-1] or width_of(longer, points, weight) <= inches:
                lines[-1] = longer
            else:
                lines.append(piece)
    return lines


def _pieces(word: str, inches: float, points: float, weight: str) -> list[str]:
    """Return a word in one piece if it fits into a line, else in pieces that do."""

    def fits(text: str) -> bool:
        return width_of(text, points, weight) <= inches

    if fits(word):
        return [word]
    joints = "".join(f"{one} " if one in _JOINTS else one for one in word).split()
    for parts in (list(Label.read(word).pieces), joints):
        if all(map(fits, parts)):
            return parts
    found: list[str] = []
    while word:
        most = next((n for n in range(len(word), 1, -1) if fits(word[:n])), 1)
        found.append(word[:most])
        word = word[most:]
    return found


def number(value: float) -> str:
    """Return a number as text: thousands apart, one digit after the point if it is not whole."""
    text = f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
    return text.replace(",", "\u202f")


def compared(values: Mapping[str, float], unit: str = "") -> str:
    """Return what the values of some protocols say: each of a few, else the least and the most."""
    after = f" {unit}" if unit else ""
    least, most = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    if len(values) > 1 and values[least] == values[most]:
        return f"{number(values[most])}{after} under every protocol"
    if len(values) > NAMED:
        return f"from {number(values[least])} ({least}) to {number(values[most])}{after} ({most})"
    name, *others = [f"{protocol} {number(value)}" for protocol, value in values.items()]
    return ", ".join([name + after, *others])


def listed(points: Sequence[int]) -> str:
    """Return numbers as "1, 4 and 16"."""
    *others, last = map(number, points)
    return f"{', '.join(others)} and {last}" if others else last


def capital(text: str) -> str:
    """Return the text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def vcpus_of(chosen: pandas.DataFrame) -> str:
    """Return the size of the machine of a tidy table: "64 vCPUs"."""
    vcpus = int(chosen["vcpus"].iloc[0])
    return f"{number(vcpus)} vCPU{'s' if vcpus > 1 else ''}"


def features_of(chosen: pandas.DataFrame) -> str:
    """Return the features of a tidy table: "all features", "features kvmclock, steal_time"; or each design's own."""
    if chosen.groupby("protocol")["features"].first().nunique() > 1:
        return "features of each design"
    named = str(chosen["features"].iloc[0])
    return "all features" if named == "all" else f"features {named.replace(',', ', ')}"
