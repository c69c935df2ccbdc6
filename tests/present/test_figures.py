"""What figures say: the answer in the title, circumstances below it, units, and every number of the table."""

import pytest

from tests.present.figure_tables import DESIGNS, KINDS, MANY, drawn
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure import compare, over_vcpus, variants
from workbench.present.figures import figures, images
from workbench.present.figures.style import LOOKS
from workbench.present.figures.words import number

PAIR = DESIGNS[:2]


@pytest.fixture(scope="module")
def table():
    return compare(DESIGNS, MANY, vcpus=2)


def said(figure):
    """The texts of a figure, from the top: title, circumstances, and all others."""
    return [text.get_text() for text in figure.axes[0].texts]


def title(figure):
    return said(figure)[0].replace("\n", " ")


def test_svg_holds_no_date_and_no_tool():
    text = images.svg(drawn("growth", DESIGNS)).decode()
    assert "dc:date" not in text
    assert "Matplotlib v" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_says_for_which_machine_and_that_nothing_was_measured(kind):
    words = said(drawn(kind, DESIGNS))
    assert "vCPU" in words[1]
    assert "not measured on hardware" in " ".join(words[-1].split())


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("growth", ["migration state for each vCPU (bytes)", "vCPUs (number, log scale)"]),
        ("features", ["exits (number)", "features (number: the one that is added)"]),
        ("guest_memory", ["memory of registered areas (bytes); 2 vCPUs, all features"]),
        ("fates", ["the worst fate (word) of any area in each event; 2 vCPUs, all features"]),
        ("exits", ["exits (number) in each event; 2 vCPUs, all features"]),
    ],
)
def test_units_are_given(kind, labels):
    assert set(labels) <= set(said(drawn(kind, DESIGNS)))


def test_the_title_is_the_answer_and_comes_from_the_table(table):
    pair = table[table["protocol"].isin(PAIR)]
    memory = pair[(pair["metric"] == "guest_memory_bytes") & (pair["event"] == "boot")]["value"]
    generic, per_feature = map(number, memory)
    answer = f"generic {generic} bytes, per_feature {per_feature}"
    assert title(figures.guest_memory(pair)) == f"Guest memory after boot: {answer}"
    fates = pair[(pair["metric"] == "fate") & pair["value"].isin(["silent", "lost", "stale"])]["protocol"].tolist()
    answer = f"generic {fates.count('generic')} of {len(MANY)}, per_feature {fates.count('per_feature')}"
    assert title(figures.fates(pair)) == f"Events that leave an area silent, lost or stale: {answer}"
    doubled = pair.assign(value=[2 * one if isinstance(one, int) else one for one in pair["value"]])
    assert title(figures.guest_memory(doubled)) != title(figures.guest_memory(pair))


def test_the_title_of_many_protocols_names_the_least_and_the_most():
    assert title(drawn("features", DESIGNS)).endswith("from 0 (null) to 11 (per_feature)")
    assert title(drawn("features", ["generic"])).endswith(": generic 10")


def test_equal_protocols_are_said_to_be_equal(table):
    same = table[table["protocol"].isin(["generic", "generic+carry-registry"])]
    assert title(figures.guest_memory(same)).endswith("bytes under every protocol")
    assert "no protocol alone takes the most" in title(figures.exits_by_class(same))


def test_the_exits_are_answered_by_who_alone_takes_the_most(table):
    """With null, which takes none, generic and its variant still share the first place wherever they are equal."""
    exits = table[(table["metric"] == "exits")].pivot(index="event", columns="protocol", values="value")
    exits = exits[exits.sum(axis=1) > 0]
    alone = exits.apply(lambda row: row.index[row == row.max()].tolist(), axis=1)
    count = sum(names == ["per_feature"] for names in alone)
    assert title(figures.exits_by_class(table)).startswith(f"Most exits: per_feature in {count} of {len(exits)} events")


def test_every_plotted_point_is_a_run():
    chosen, features = variants(DESIGNS), choose()
    figure = figures.growth(over_vcpus(chosen, features, EVENTS["boot"], (1, 2, 4)), "state_bytes", "migration state")
    lines = figure.axes[1].get_lines()
    assert [line.get_label() for line in lines] == list(DESIGNS)
    assert all([2**x for x in line.get_xdata()] == [1, 2, 4] for line in lines)
    assert list(lines[1].get_ydata()) == [146, 146, 146]
    assert "run at 1, 2 and 4 vCPUs" in said(figure)[-1]


def test_the_y_axis_begins_at_zero_so_that_lengths_can_be_compared():
    for kind in ("growth", "features"):
        assert drawn(kind, DESIGNS).axes[1].get_ylim()[0] == 0


def test_curves_that_lie_on_each_other_say_so():
    assert any(text.startswith("generic+carry-registry: as generic") for text in said(drawn("growth", DESIGNS)))


def test_every_fate_is_shown_or_told_to_be_as_usual(table):
    words = said(figures.fates(table))
    fates = table[table["metric"] == "fate"]
    usual = [one for one in MANY if list(fates[fates["event"] == one]["value"]) == ["registered"] * 3 + ["refused"]]
    assert f"boot and {len(usual) - 1} more" in words
    assert f"As boot: {', '.join(usual[1:])}." in [text.replace("\n", " ") for text in words]
    shown = [word for word in words if word in set(fates["value"])]
    assert len(shown) == (len(MANY) - len(usual) + 1) * len(DESIGNS)
    for word in ("stale", "lost"):
        assert shown.count(word) == (fates["value"] == word).sum()


def test_a_few_events_are_all_shown_in_groups(table):
    words = said(figures.fates(table[table["event"].isin(["boot", "cpu-hotplug", "migrate"])]))
    assert [one for one in words if one in (*MANY, EVENTS["boot"].group, EVENTS["migrate"].group)] == [
        EVENTS["boot"].group, "boot", "cpu-hotplug", EVENTS["migrate"].group, "migrate",
    ]  # fmt: skip


def test_bars_end_where_the_numbers_say(table):
    figure = figures.exits_by_class(table[table["event"] == "boot"])
    colours = {LOOKS[at].colour: at for at in range(len(LOOKS))}
    bars = [patch for patch in figure.axes[0].patches if _hex(patch) in colours]
    exits = table[(table["metric"] == "kernel_exits") & (table["event"] == "boot")]["value"].tolist()
    scale = {round(patch.get_width() / value, 6) for patch, value in zip(bars, filter(None, exits), strict=True)}
    assert len(scale) == 1


def test_exits_by_the_vmm_are_striped(table):
    figure = figures.exits_by_class(table[table["event"] == "boot"])
    striped = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert len(striped) == 1 + 2  # the key; generic and generic+carry-registry
    assert sum("(1 by the VMM)" in text for text in said(figure)) == 2


def test_events_with_the_same_numbers_stand_together_the_longest_bar_first(table):
    words = said(figures.exits_by_class(table))
    events = [word for word in words if word in MANY]
    most = table[table["metric"] == "exits"].set_index("event")["value"].astype(int).groupby(level=0).max()
    assert [most[event] for event in events] == sorted((most[event] for event in events), reverse=True)
    assert "also kexec-no-teardown" in " ".join(words)
    told = " ".join(words).replace("\n", " ")
    assert [one for one in MANY if one not in told] == []


def _hex(patch):
    return "#" + "".join(f"{round(255 * part):02x}" for part in patch.get_facecolor()[:3])
