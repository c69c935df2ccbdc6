"""The failure map in a browser: every cell, by pointer and by keys, its explanation, and the trace that it opens."""

import json
import re

import pytest

from tests.browser.conftest import DESIGNS, SIZES
from tests.browser.conftest import EXPLORED as NAMES
from workbench.checking.failures import FAILURES
from workbench.present.web import failure_map, page


@pytest.fixture
def view(map_view):
    return map_view


def cell(opened, event, code):
    failure = FAILURES[code]
    return opened.locator(f'button[aria-label^="{event}, {failure.title}:"]')


def test_every_cell_says_what_the_matrix_says(open_page, explored, view):
    opened = open_page(page("map", [view]))
    for label in DESIGNS:
        opened.get_by_label("design").select_option(label)
        said = opened.locator("td .pvw-cell").evaluate_all("cells => cells.map(c => c.getAttribute('aria-label'))")
        cells = [one for one in explored[0] if str(one.label()) == label]
        assert set(said) == {f"{one.event}, {FAILURES[one.property].title}: {one.verdict}" for one in cells}


def test_all_designs_stand_one_below_the_other(open_page, view):
    opened = open_page(page("map", [view]))
    opened.get_by_label("design").select_option("all designs")
    assert opened.locator("tbody tr:not(.pvw-group)").count() == len(NAMES) * len(DESIGNS)
    cell(opened, "migrate", "F10").and_(opened.locator('[data-design="per_feature"]')).hover()
    assert opened.locator(".pvw-explained").inner_text().startswith("per_feature: restore replays")


def test_a_click_opens_the_trace_and_steps_to_the_violated_sentence(open_page, view):
    opened = open_page(page("map", [view]))
    cell(opened, "migrate", "F02").click()
    assert "lost registration: generic under migrate" in opened.locator(".pvw-opened h3").inner_text()
    assert "believes async_pf of vCPU 0 registered" in opened.locator(".pvw-opened .pvw-violated").inner_text()
    opened.get_by_role("button", name="Where it breaks").click()
    assert "new host" in opened.locator(".pvw-opened .pvw-spoken").inner_text()


def test_the_arrow_keys_go_from_cell_to_cell_and_explain_it(open_page, view):
    opened = open_page(page("map", [view]))
    cell(opened, "kexec-no-teardown", "F01").focus()
    for key in ("ArrowDown", "ArrowRight"):
        opened.keyboard.press(key)
    told = opened.locator(".pvw-explained").inner_text()
    assert FAILURES["F02"].what in told
    assert "Shortest trace: 2" in told
    opened.keyboard.press("Enter")
    assert "generic under migrate" in opened.locator(".pvw-opened h3").inner_text()


def test_a_mitigation_shows_what_it_repairs(open_page, view):
    opened = open_page(page("map", [view]))
    opened.get_by_label("design").select_option("generic+carry-registry")
    repaired = cell(opened, "migrate", "F02")
    assert "pvw-was" in repaired.get_attribute("class")
    repaired.hover()
    assert "Without the mitigations: FAILS" in opened.locator(".pvw-explained").inner_text()


def test_only_what_fails_and_the_groups_of_events(open_page, view):
    opened = open_page(page("map", [view]))
    opened.get_by_label("only what fails").check()
    rows = opened.locator("tbody tr:not(.pvw-group) th")
    assert rows.all_inner_texts() == ["kexec-no-teardown", "migrate", "ignore-msrs"]
    opened.get_by_text("Groups of events").click()
    opened.get_by_label("the machine moves").uncheck()
    assert rows.all_inner_texts() == ["kexec-no-teardown", "ignore-msrs"]
    opened.get_by_role("button", name="Reset").click()
    assert rows.count() == len(NAMES)


def test_the_address_keeps_the_settings_and_opens_the_same_trace(open_page, view):
    opened = open_page(page("map", [view]))
    opened.get_by_label("design").select_option("per_feature")
    cell(opened, "hostile-bad-base", "F16").click()
    fragment = opened.evaluate("location.hash")
    again = open_page(page("map", [view]), fragment)
    assert "refused but remembered: per_feature under hostile-bad-base" in again.locator(".pvw-opened h3").inner_text()


@pytest.mark.parametrize("fragment", ["#design=nobody&event=x&property=y", "#%%%", "#without=a|b", "#event=<b>"])
def test_an_address_that_makes_no_sense_shows_the_map(open_page, view, fragment):
    opened = open_page(page("map", [view]), fragment)
    assert opened.locator("td .pvw-cell").count() == len(NAMES) * len(FAILURES)


def test_names_of_an_authors_own_are_text_and_never_markup(open_page, explored):
    hostile = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    cells = [one._replace(note=hostile, trace=None) for one in explored[0]]
    opened = open_page(page(hostile, [failure_map(cells, explored[1], SIZES, command=hostile)]))
    cell(opened, "migrate", "F02").hover()
    assert hostile in opened.locator(".pvw-explained").inner_text()
    assert opened.locator("img").count() == 0
    assert hostile == opened.title()


def test_traces_are_packed_without_loss(explored, view):
    """The texts of all traces are kept once; unpacked, each is what a trace of its own would be."""
    words = view.data["words"]
    assert len(words) == len(set(words))
    failing = [one for one in explored[0] if one.trace]
    assert len(view.data["traces"]) == len(failing)
    for one, trace in zip(failing, view.data["traces"], strict=True):
        assert [words[step[2]] for step in trace["steps"]] == [row.text for row in one.trace]
    assert json.loads(json.dumps(view.data)) == view.data
    assert re.search(r"generic\s", view.text)
