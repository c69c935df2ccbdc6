"""Figures in pages with two themes: every colour has a dark partner, and words stay readable on it."""

import re

import pytest
from matplotlib.figure import Figure

from tests.present.figure_tables import DESIGNS, KINDS, drawn
from tests.present.test_figure_looks import DARK as PAPER
from tests.present.test_figure_looks import contrast
from workbench.errors import WorkbenchError
from workbench.present.figures.style import INK, LOOKS, PALE_INK, TONES
from workbench.present.figures.themed import DARK, inline


@pytest.mark.parametrize("kind", KINDS)
def test_no_colour_of_a_figure_is_left_without_a_partner(kind):
    shown = inline(drawn(kind, DESIGNS, "projector"), "what <it> shows")
    assert shown.startswith('<svg role="img" aria-label="what &lt;it&gt; shows"')
    alone = re.sub(r"light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)", "", shown)
    assert re.findall(r"(?:fill|stroke|color)[^;\"]*#[0-9a-f]{6}", re.sub(r"url\(#\w+\)", "", alone)) == []
    assert "light-dark(" in shown
    assert "<style" not in shown
    assert "<metadata" not in shown


def test_words_are_readable_in_the_dark():
    assert min(contrast(DARK[ink], PAPER) for ink in (INK, PALE_INK)) >= 4.5
    for tone in TONES.values():
        ink = DARK.get(tone.ink, tone.dark_ink)
        assert contrast(ink, DARK[tone.fill]) >= 4.5
    assert [DARK[look.colour] for look in LOOKS] == [look.dark for look in LOOKS]


def test_a_colour_without_a_partner_is_refused():
    figure = Figure()
    figure.text(0.5, 0.5, "x", color="#123456")
    with pytest.raises(WorkbenchError, match="colour #123456 of a figure has no dark partner"):
        inline(figure, "x")
