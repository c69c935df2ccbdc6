"""Figures: units on every axis, one look for each protocol, the same bytes for the same table."""

import pytest

from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure import compare, over_features, over_vcpus, variants
from workbench.present.figures import figures, images
from workbench.present.figures.style import LOOKS, looks

PROTOCOLS = ("generic", "per_feature", "null", "generic+carry-registry")


def every_figure():
    chosen, features = variants(PROTOCOLS), choose()
    vcpus = over_vcpus(chosen, features, EVENTS["boot"], (1, 2, 4))
    count = over_features(chosen, features[:3], 2, EVENTS["boot"])
    table = compare(PROTOCOLS, ["boot", "kexec-no-teardown", "migrate"], vcpus=2)
    return {
        "growth": figures.growth(vcpus, "state_bytes", "migration state", note=figures.carried(vcpus)),
        "features": figures.feature_growth(count, "exits", "exits", [f.name for f in features[:3]]),
        "guest_memory": figures.guest_memory(table),
        "fates": figures.fates(table),
        "exits": figures.exits_by_class(table),
    }


@pytest.fixture(scope="module")
def drawn():
    return every_figure()


def test_the_same_table_gives_the_same_bytes(drawn):
    again = every_figure()
    for name, figure in drawn.items():
        assert images.png(figure) == images.png(again[name]), name
        assert images.svg(figure) == images.svg(again[name]), name


def test_svg_holds_no_date_and_no_tool(drawn):
    text = images.svg(drawn["growth"]).decode()
    assert "dc:date" not in text
    assert "Matplotlib v" not in text


def test_units_stand_on_every_axis(drawn):
    for name, figure in drawn.items():
        axes = figure.axes[0]
        labels = [axes.get_ylabel()] if name == "fates" else [axes.get_xlabel(), axes.get_ylabel()]
        assert all("(" in label and label.endswith(")") for label in labels), (name, labels)


def test_every_figure_says_that_it_is_simulated(drawn):
    for figure in drawn.values():
        assert "simulated, not measured on hardware" in figure.get_supxlabel()


def test_every_plotted_point_is_a_run(drawn):
    lines = drawn["growth"].axes[0].get_lines()
    assert [line.get_label() for line in lines] == list(PROTOCOLS)
    assert all(list(line.get_xdata()) == [1, 2, 4] for line in lines)
    assert list(lines[1].get_ydata()) == [146, 292, 584]


def test_the_word_stands_in_every_cell(drawn):
    words = [text.get_text() for text in drawn["fates"].axes[0].texts]
    assert words[4:8] == ["stale", "stale", "refused", "stale"]
    assert len(words) == 3 * len(PROTOCOLS)


def test_bars_end_where_the_guest_memory_ends(drawn):
    table = compare(PROTOCOLS, ["boot"], vcpus=2, metrics=["guest_memory_bytes"])
    shown = [int(text.get_text()) for text in drawn["guest_memory"].axes[0].texts]
    assert shown == table["value"].tolist()


def test_a_protocol_looks_the_same_in_whatever_company():
    assert looks(["generic"])["generic"] == looks(["null", "mine", "generic"])["generic"]
    assert looks(["a", "b"])["a"] != looks(["a", "b"])["b"]


def test_looks_differ_without_colour():
    assert len({(look.dashes, look.marker) for look in LOOKS}) == len(LOOKS)
    assert len({look.hatch for look in LOOKS}) == len(LOOKS)


def test_user_exits_are_black(drawn):
    axes = drawn["exits"].axes[0]
    black = [patch.get_width() for patch in axes.patches if patch.get_facecolor() == (0, 0, 0, 1)]
    assert sum(black) == 4  # generic and generic+carry-registry, in boot and in kexec-no-teardown
