"""The failure matrix as a picture: each verdict has its own mark, and the same matrix gives the same bytes."""

import pytest
from matplotlib.colors import to_rgb

from workbench.checking.failures import choose as choose_failures
from workbench.engines.explore import BOUNDED, FAILS, HOLDS, NOT_EXERCISED
from workbench.errors import WorkbenchError
from workbench.lifecycle import choose
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import variants
from workbench.present.figures import images
from workbench.present.figures.matrix import failures, mark

CODES = ["F01", "F04", "F05", "F13", "S01"]


def explored(**options):
    chosen, events = (
        variants(["generic", "per_feature+commit-after-check"]),
        choose(["old-host", "encrypted-unshared"]),
    )
    return matrix(chosen, events, choose_failures(CODES), [Size(1, ("wall_clock",))], **options)


@pytest.fixture(scope="module")
def cells():
    return explored()


def words(axes):
    return [text.get_text() for text in axes.texts]


def brightness(cell):
    red, green, blue = to_rgb(mark(cell).fill)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_a_panel_for_each_protocol_with_events_by_codes(cells):
    panels = failures(cells).axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == [
        "generic: 2 fails, 8 not exercised",
        "per_feature+commit-after-check: 2 fails, 1 holds, 7 not exercised",
    ]
    for axes in panels:
        assert [label.get_text() for label in axes.get_xticklabels()] == [
            "stray write", "false success", "double fetch", "private descriptor", "registers",
        ]  # fmt: skip
        assert [label.get_text() for label in axes.get_yticklabels()] == ["old-host", "encrypted-unshared"]


def test_what_fails_says_in_how_many_steps_and_nothing_else_does(cells):
    shown = [word for axes in failures(cells).axes for word in words(axes)]
    expected = [str(cell.steps) if cell.steps else "-" for cell in cells if cell.verdict == FAILS]
    assert shown == expected
    assert {"-", "4"} <= set(shown)


def test_several_mitigations_are_counted_so_that_the_title_fits(cells):
    generic = [cell for cell in cells if cell.protocol == "generic"]
    several = [cell._replace(mitigations=("copy-once", "revoke-all")) for cell in generic]
    (axes,) = failures(several).axes
    assert axes.get_title(loc="left").startswith("generic + 2 mitigations: ")


def test_verdicts_can_be_told_apart_in_grey(cells):
    every = (HOLDS, BOUNDED, FAILS, NOT_EXERCISED)
    holds, bounded, fails, unasked = (cells[0]._replace(verdict=verdict) for verdict in every)
    assert brightness(holds) - brightness(fails) > 0.5
    assert brightness(bounded) > brightness(fails)
    assert len({(mark(one).hatch, bool(mark(one).text)) for one in (holds, bounded, fails, unasked)}) == 4


def test_a_property_that_says_nothing_does_not_look_as_if_it_held(cells):
    (cell,) = [one for one in cells if one[:3] == ("per_feature", "old-host", "F05")]
    assert (cell.verdict, cell.premise) == (NOT_EXERCISED, 0)  # there is no descriptor to fetch twice
    assert mark(cell) != mark(cell._replace(verdict=HOLDS))


def test_a_violation_is_shown_whatever_its_premise(cells):
    assert mark(cells[0]._replace(verdict=FAILS, steps=3, premise=0)).text == "3"


def test_a_search_that_was_stopped_is_not_shown_as_holding():
    stopped = explored(max_states=3)
    assert BOUNDED in {cell.verdict for cell in stopped}
    shown = [word for axes in failures(stopped).axes for word in words(axes)]
    assert shown.count("?") == sum(cell.verdict == BOUNDED for cell in stopped)


def test_the_same_matrix_gives_the_same_bytes(cells):
    assert images.png(failures(cells)) == images.png(failures(explored()))
    assert images.svg(failures(cells)) == images.svg(failures(explored()))


def test_it_says_that_nothing_was_measured(cells):
    assert "not measured on hardware" in " ".join(failures(cells).get_supxlabel().split())


def test_no_cells_no_picture():
    with pytest.raises(WorkbenchError, match="without cells"):
        failures([])
