"""How figures look: no text meets another or is cut off, whatever protocols are called; colours; letters by size."""

from itertools import combinations

import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from tests.present.figure_tables import DESIGNS, KINDS, NAMES, drawn
from workbench.errors import WorkbenchError
from workbench.present.figures import images
from workbench.present.figures.sizes import SIZES
from workbench.present.figures.style import FATE_TONES, INK, LOOKS, PALE_INK, TONES, looks
from workbench.protocols import FIRST

PAPER, DARK = "#ffffff", "#161616"
#: How colours look to colour-blind eyes: Machado, Oliveira and Fernandes (2009), table 1, severity 1.0.
EYES = {
    "all cones": numpy.eye(3),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
#: From linear sRGB to CIE XYZ (IEC 61966-2-1), of white.
XYZ = numpy.array([(0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)])


def linear(colour):
    values = numpy.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return numpy.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    less, more = sorted(float(linear(colour) @ XYZ[1]) for colour in (one, other))
    return (more + 0.05) / (less + 0.05)


def lab(values):
    xyz = XYZ @ values / XYZ.sum(axis=1)
    x, y, z = numpy.where(xyz > 0.008856, numpy.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return numpy.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def texts(figure):
    """The boxes of all texts that are drawn, in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    hidden = set()
    for axes in figure.axes:
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, sorted(axes.get_ylim()))):
            if not axes.axison:
                hidden.update(axis.findobj(Text))
            hidden.update(tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high)
    shown = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip() and one not in hidden]
    return [(one.get_text(), one.get_window_extent(renderer).padded(-0.5)) for one in shown]


def faults(figure):
    """What a reader would complain of: texts that meet, and texts that leave the sheet."""
    boxes = texts(figure)
    assert len(boxes) > 3
    sheet = figure.bbox
    cut = [text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > sheet.x1 or box.y1 > sheet.y1]
    met = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]
    return cut, met


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 8)), 8])
def test_no_text_meets_another_or_is_cut_off_with_long_names(kind, count):
    assert faults(drawn(kind, NAMES[-count:])) == ([], [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_no_text_meets_another_in_any_size(kind, size):
    assert faults(drawn(kind, DESIGNS, size)) == ([], [])
    assert faults(drawn(kind, NAMES, size)) == ([], [])


def test_such_faults_are_found():
    figure = drawn("guest_memory", DESIGNS)
    text = figure.axes[0].texts[0]
    figure.axes[0].text(*text.get_position(), "over it", va="top")
    figure.axes[0].text(-0.1, 0.5, "out of it")
    cut, met = faults(figure)
    assert cut == ["out of it"]
    assert any("over it" in pair for pair in met)


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_drawn_as_it_is(kind):
    """Not as a formula; characters that the font lacks as their numbers; broken only between lines."""
    shown = "".join(text.replace("\n", "").replace(" ", "") for text, _ in texts(drawn(kind, NAMES)))
    for name in NAMES:
        if kind == "failures" and "+" in name:
            continue  # the label of a cell has its mitigations apart
        assert name.replace("区域", "\\u533a\\u57df") in shown, name


def test_letters_have_the_height_of_their_size():
    heights = {name: {text.get_fontsize() for text in drawn("exits", DESIGNS, name).axes[0].texts} for name in SIZES}
    assert min(heights["projector"]) >= 15
    assert min(heights["print"]) >= 7
    assert drawn("growth", DESIGNS, "print").get_figwidth() == 6.3


def test_an_unknown_size_says_which_there_are():
    with pytest.raises(WorkbenchError, match=r"unknown size of figure 'slide'.*print, screen, projector"):
        drawn("fates", DESIGNS, "slide")


@pytest.mark.parametrize(("paper", "field"), [(PAPER, "colour"), (DARK, "dark")])
def test_colours_of_protocols_can_be_seen_and_told_apart_by_all_eyes(paper, field):
    colours = [getattr(look, field) for look in LOOKS]
    assert min(contrast(colour, paper) for colour in colours) >= 3
    for name, eyes in EYES.items():
        seen = [lab(numpy.clip(numpy.array(eyes) @ linear(colour), 0, 1)) for colour in colours]
        assert min(float(numpy.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 15, name


def test_looks_differ_without_colour():
    assert len({(look.dashes, look.marker) for look in LOOKS}) == len(LOOKS)


def test_words_on_tones_can_be_read_and_the_worst_is_seen_in_grey():
    for tone in TONES.values():
        assert contrast(tone.fill, tone.ink) >= 4.5
        assert contrast(tone.dark_fill, tone.dark_ink) >= 4.5
    assert contrast(PAPER, PALE_INK) >= 4.5 <= contrast(PAPER, INK)
    grey = {name: float(linear(tone.fill) @ XYZ[1]) for name, tone in TONES.items()}
    assert grey["worst"] < grey["bad"] < grey["warn"] < grey["plain"]
    assert set(FATE_TONES.values()) == set(TONES)


def test_a_protocol_looks_the_same_in_whatever_company():
    assert looks(["generic"])["generic"] == looks(["null", "mine", "generic"])["generic"]
    assert looks(["a", "b"])["a"] != looks(["a", "b"])["b"]


@pytest.mark.parametrize("count", range(2, 9))
def test_up_to_eight_protocols_have_eight_looks(count):
    for known in range(len(FIRST) + 1):
        names = list(dict.fromkeys([*FIRST[:known], *NAMES, *"ab"]))[:count]
        found = looks(names)
        assert len({found[name] for name in names}) == len(names)


def test_the_same_table_gives_the_same_bytes():
    for kind in KINDS:
        one, again = drawn(kind, DESIGNS[:2]), drawn(kind, DESIGNS[:2])
        assert images.png(one) == images.png(again), kind
        assert images.svg(one) == images.svg(again), kind
