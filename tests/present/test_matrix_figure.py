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


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def brightness(cell):
    red, green, blue = to_rgb(mark(cell).colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_a_panel_for_each_protocol_with_events_by_names(cells):
    shown = words(failures(cells))
    assert shown[0] == "Failures found: 2 under every protocol"
    titles = ["generic: 2 fails, 8 not exercised", "per_feature+commit-after-check: 2 fails, 1 holds, 7 not exercised"]
    assert [text for text in shown if text in titles] == titles
    for event in ("old-host", "encrypted-unshared"):
        assert shown.count(event) == 2
    asked = ["false success", "private descriptor", "registers"]
    assert [text for text in shown if text in asked] == asked * 2


def test_a_property_that_nothing_exercises_has_no_column_and_is_named(cells):
    shown = words(failures(cells))
    assert "double fetch" not in shown
    assert "not exercised by any of these events: stray write, double fetch" in shown[-1].replace("\n", " ")


def test_what_fails_says_in_how_many_steps_and_nothing_else_does(cells):
    shown = [word for word in words(failures(cells)) if word == "-" or word.isdigit()]
    expected = [str(cell.steps) if cell.steps else "-" for cell in cells if cell.verdict == FAILS]
    assert sorted(shown) == sorted(expected)
    assert {"-", "4"} <= set(shown)


def test_several_mitigations_are_counted_so_that_the_title_fits(cells):
    generic = [cell for cell in cells if cell.protocol == "generic"]
    several = [cell._replace(mitigations=("copy-once", "revoke-all")) for cell in generic]
    assert any(word.startswith("generic + 2 mitigations: ") for word in words(failures(several)))


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
    shown = words(failures(stopped))
    assert shown.count("?") == sum(cell.verdict == BOUNDED for cell in stopped)


def test_the_same_matrix_gives_the_same_bytes(cells):
    assert images.png(failures(cells)) == images.png(failures(explored()))
    assert images.svg(failures(cells)) == images.svg(failures(explored()))


def test_it_says_that_nothing_was_measured(cells):
    assert "not measured on hardware" in " ".join(words(failures(cells))[-1].split())


def test_no_cells_no_picture():
    with pytest.raises(WorkbenchError, match="without cells"):
        failures([])
