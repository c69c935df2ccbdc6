"""How every view looks and is used: contrast, narrow windows, print, keys, names for assistive technology, markup."""

import json
from pathlib import Path

import pytest

from tests.browser.conftest import KINDS
from workbench.engines.explore import BOUNDED, BROKE_OFF, FAILS, HOLDS, NOT_EXERCISED
from workbench.present.figures.style import LOOKS
from workbench.present.web import failure_map, page
from workbench.present.web.view import View

#: WCAG 2.2: 1.4.3, text of ordinary size; 1.4.11, what shows where the focus is.
CONTRAST, RING = 4.5, 3
MEASURE = Path(__file__).with_name("contrast.js").read_text()
CONTROLS = "button, summary, select, input, .pvw-steps tbody tr, [role=region]"
#: Marks one visible control of each look, and returns how many there are.
ONE_OF_EACH = f"""
() => {{
  const found = new Map();
  for (const node of document.querySelectorAll("{CONTROLS}"))
    if (node.checkVisibility()) found.set(`${{node.tagName}} ${{node.type}} ${{node.className}}`, node);
  [...found.values()].forEach((node, at) => node.setAttribute("data-one", at));
  return found.size;
}}
"""


@pytest.fixture(scope="session")
def every_verdict(explored):
    """A map in which each verdict occurs, and a note."""
    cells, chosen = explored
    wanted = (HOLDS, BOUNDED, BROKE_OFF)
    changed = [one._replace(verdict=wanted[at % 3], trace=None, note="why") for at, one in enumerate(cells[:9])]
    found = failure_map([*changed, *cells[9:]], chosen, [])
    said = {cell["verdict"] for one in found.data["designs"] for row in one["cells"] for cell in row if cell}
    assert said == {HOLDS, FAILS, BOUNDED, BROKE_OFF, NOT_EXERCISED}
    return found


@pytest.fixture
def prepared(open_page, views, every_verdict):
    """Open a view with everything in it open: lists of buttons, a trace in the map, the step that breaks."""

    def prepare(kind, **options):
        opened = open_page(page(kind, [every_verdict if kind == "matrix" else views[kind]]), **options)
        if kind == "matrix":
            opened.locator(".pvw-cell.pvw-fails").nth(1).click()
        if kind in ("trace", "matrix"):
            opened.get_by_role("button", name="Where it breaks").click()
        if kind == "compare":
            opened.get_by_label("heat map").select_option("fate")
        for closed in opened.locator("summary").all():
            closed.click()
        return opened

    return prepare


def unreadable(found):
    return [(text, round(ratio, 2)) for text, ratio in found["texts"] if ratio < CONTRAST]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_can_be_read_whatever_is_pointed_at_or_has_the_focus(prepared, kind, scheme):
    opened = prepared(kind, color_scheme=scheme)
    found = opened.evaluate(MEASURE)
    assert len(found["texts"]) > 30
    assert unreadable(found) == []
    for number in range(opened.evaluate(ONE_OF_EACH)):
        one = opened.locator(f"[data-one='{number}']")
        one.evaluate("node => node.scrollIntoView({ block: 'center' })")
        one.hover(force=True)
        assert unreadable(opened.evaluate(MEASURE)) == [], one
        one.focus()
        opened.keyboard.press("Shift")  # the browser shows the focus to those who use keys
        found = opened.evaluate(MEASURE)
        assert unreadable(found) == []
        assert found["ring"] is None or found["ring"] >= RING, one.evaluate("node => node.outerHTML.slice(0, 200)")


def test_bad_contrast_is_found(prepared):
    opened = prepared("trace")
    opened.add_style_tag(content=".pvw.pvw.pvw .pvw-about { color: #999999 } .pvw.pvw.pvw .pvw-state { background: "
                                 "repeating-linear-gradient(45deg, #333333 0 3px, #ffffff 3px 6px) }")  # fmt: skip
    found = {text for text, _ in unreadable(opened.evaluate(MEASURE))}
    assert "1 vCPU, steal_time, 21 steps" in found
    assert "guest memory" in found


def test_a_design_has_the_colour_that_it_has_in_figures(open_page, views):
    opened = open_page(page("compare", [views["compare"]]))
    colours = opened.locator(".pvw-machine .pvw-part:not(.pvw-second)").evaluate_all(
        "parts => parts.slice(0, 3).map(part => getComputedStyle(part).backgroundColor)"
    )
    assert colours == [f"rgb{tuple(bytes.fromhex(LOOKS[at].colour[1:]))}" for at in (0, 3, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_of_800_pixels_needs_no_sideways_scrolling(prepared, kind):
    opened = prepared(kind, viewport={"width": 800, "height": 700})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 800


@pytest.mark.parametrize("kind", KINDS)
def test_print_shows_everything_on_white_and_no_control(prepared, kind):
    opened = prepared(kind, viewport={"width": 794, "height": 300}, color_scheme="dark")  # A4 at 96 dots per inch
    opened.emulate_media(media="print")
    assert opened.locator(".pvw-bar:visible, .pvw-take:visible").count() == 0
    cut = """boxes => boxes.filter(box => getComputedStyle(box).overflow !== "visible"
        || box.getBoundingClientRect().right > innerWidth).map(box => box.className)"""
    assert opened.locator(".pvw-list, .pvw-state, .pvw-grid, .pvw-grid table").evaluate_all(cut) == []
    paper = "view => getComputedStyle(view).backgroundColor"
    assert opened.locator(".pvw").first.evaluate(paper) == "rgb(255, 255, 255)"
    assert unreadable(opened.evaluate(MEASURE)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_names_for_assistive_technology(prepared, kind):
    opened = prepared(kind)
    named = "node.getAttribute('aria-label') || node.closest('label') || /\\p{L}/u.test(node.textContent)"
    controls = "button:not(.pvw-cell), input, select, [role=region], [role=group], .pvw-cell[aria-label]"
    nameless = f"all => all.filter(node => !({named})).map(node => node.outerHTML)"
    assert opened.locator(controls).evaluate_all(nameless) == []
    assert opened.locator("button.pvw-cell:not([aria-label])").count() == 0
    assert opened.locator("svg:not([aria-hidden])").count() == 0
    bare = "tables => tables.filter(one => !one.closest('.pvw-state') && !one.caption).length"
    assert opened.locator(".pvw-body table").evaluate_all(bare) == 0
    assert opened.locator(".pvw-body th:not([scope])").count() == 0
    assert opened.locator("[role=status]").count() > 0
    assert opened.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("kind", KINDS)
def test_tab_reaches_every_control_and_goes_on(open_page, views, kind):
    """From the first control to the last, and out of the view: no trap; in a grid one cell, from which arrows go on."""
    opened = open_page(page(kind, [views[kind]]))
    wanted = opened.locator("button, summary, select, input, [tabindex='0']").evaluate_all(
        "all => all.filter(node => node.tabIndex >= 0 && node.checkVisibility())"
        ".map((node, at) => node.dataset.at = at)"
    )
    assert 3 <= len(wanted) <= 30
    reached = []
    for _ in range(len(wanted) + 3):
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.dataset.at"))
        if reached[-1] is None and len(reached) > 1:
            break
    assert [int(at) for at in reached if at is not None] == list(range(len(wanted)))


def test_the_heat_map_is_used_by_keys_and_keeps_the_focus(open_page, views):
    opened = open_page(page("compare", [views["compare"]]))
    opened.locator(".pvw-heats .pvw-link").first.focus()
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("Enter")
    assert opened.locator(".pvw-spoken").inner_text().startswith("cpu-hotplug")
    assert opened.evaluate("document.activeElement.textContent") == "cpu-hotplug"
    opened.keyboard.press("ArrowUp")
    assert opened.evaluate("document.activeElement.textContent") == "boot"


@pytest.mark.parametrize("kind", KINDS)
def test_without_scripts_the_text_is_shown(open_page, views, kind):
    opened = open_page(page(kind, [views[kind]]), java_script_enabled=False)
    shown = opened.locator("pre.pvw-text")
    assert shown.is_visible()
    assert shown.inner_text().split() == views[kind].text.split()


HOSTILE = "<img/src=x/onerror=alert(1)>\"'&amp;</script><script>alert(2)</script>"


@pytest.mark.parametrize("kind", ["trace", "pair", "matrix", "compare", "measured"])
def test_names_that_are_markup_are_text_everywhere(open_page, views, kind):
    """As a protocol's name: shown, copied and saved as it is, and never run."""
    told = json.dumps(HOSTILE)[1:-1]
    data = json.loads(json.dumps(views[kind].data).replace("per_feature", told).replace("generic", f"g{told}"))
    opened = open_page(page(HOSTILE, [View(views[kind].kind, data, views[kind].text.replace("generic", HOSTILE))]))
    dialogs = []
    opened.on("dialog", lambda dialog: dialogs.append(dialog.message) or dialog.dismiss())
    if kind == "matrix":
        opened.locator(".pvw-cell.pvw-fails").first.click()
    assert HOSTILE in opened.locator("body").inner_text()
    assert opened.locator("img").count() == 0
    assert opened.locator("body script:not(.pvw-data)").count() == 1
    opened.get_by_text("Copy or save").last.click()
    for form in ("SVG", "CSV"):
        with opened.expect_download() as waiting:
            opened.get_by_role("button", name=f"save {form}").last.click()
        assert set(waiting.value.suggested_filename) & set("<>/\\\"' ") == set()
        content = waiting.value.path().read_text()
        assert "<img" not in content or form == "CSV"
    assert dialogs == []
