"""Simulated against measured, area by area: how areas are counted, and the figure of it."""

import pytest
from matplotlib.colors import to_hex

from workbench.errors import WorkbenchError
from workbench.measure.on_kvm import kvm_agreement, measured_file
from workbench.measure.on_kvm.word_pairs import counted, pairs_of
from workbench.present.figures import figures
from workbench.present.figures.style import TONES


def test_as_few_areas_differ_as_the_numbers_allow():
    simulated = {"a": {"registered": 3, "stale": 1}, "b": {"lost": 1}}
    measured = {"a": {"registered": 2, "released": 2}, "b": {"lost": 1}}
    assert pairs_of(simulated, measured) == {
        ("registered", "registered"): 2, ("registered", "released"): 1, ("stale", "released"): 1, ("lost", "lost"): 1,
    }  # fmt: skip


def test_a_feature_of_one_side_only_counts_nothing():
    assert pairs_of({"a": {"lost": 1}}, {}) == {}


def test_the_recorded_areas_agree_where_the_list_of_differences_says_so():
    found = measured_file.all_measured_files()[-1]
    differing = sum(count for (one, other), count in counted(found.events).items() if one != other)
    lines = kvm_agreement.beside(found.events, found.host["kernel"])
    assert (differing == 0) == (not any(line.difference for line in lines))


def test_the_figure_counts_and_marks_what_differs():
    figure = figures.agreement({("lost", "lost"): 7, ("stale", "released"): 2}, "here")
    said = [text.get_text() for text in figure.axes[0].texts]
    assert "7 of 9 areas" in said[0].replace("\n", " ")
    assert said.count("0") == 3 * 3 - 2
    fills = [to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches]
    assert fills.count(TONES["worst"].fill) == 1


def test_no_area_has_no_figure():
    with pytest.raises(WorkbenchError, match="without an area"):
        figures.agreement({}, "here")
