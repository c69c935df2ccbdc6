"""The slides in a browser: each fits a projector, is readable in both themes, turns by keys, prints as one sheet."""

from pathlib import Path

import pytest

from tests.browser.test_looks import MEASURE, unreadable
from workbench.present.slides import slides

COUNT = 11  # with the contents
PROJECTOR = {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def html():
    return slides()


def heights(opened):
    return opened.locator(".slide").evaluate_all("all => all.map(one => one.offsetHeight)")


@pytest.mark.parametrize("viewport", [PROJECTOR, {"width": 1920, "height": 1080}, {"width": 1024, "height": 768}])
def test_each_slide_fits_a_projector(open_page, html, viewport):
    opened = open_page(html, viewport=viewport)
    assert heights(opened) == [viewport["height"]] * COUNT
    letters = "all => Math.min(...all.map(one => parseFloat(getComputedStyle(one).fontSize)))"
    least = min(viewport["height"] / 50, viewport["width"] / 75)
    assert opened.locator("td, tbody th, li, h2, .sentence").evaluate_all(letters) >= least


def test_a_window_of_800_pixels_needs_no_sideways_scrolling(open_page, html):
    opened = open_page(html, viewport={"width": 800, "height": 600})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 800
    outside = "all => all.filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML)"
    assert opened.locator(".slide *").evaluate_all(outside) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(open_page, html, scheme):
    opened = open_page(html, color_scheme=scheme, viewport=PROJECTOR)
    opened.locator("nav a").first.focus()
    opened.keyboard.press("Shift")
    found = opened.evaluate(MEASURE)
    assert len(found["texts"]) > 100
    assert unreadable(found) == []
    assert found["ring"] >= 3
    paper = "one => getComputedStyle(one.querySelector('path')).fill"
    assert opened.locator("svg.figure").first.evaluate(paper) == {"light": "rgb(255, 255, 255)",
                                                                 "dark": "rgb(22, 22, 22)"}[scheme]  # fmt: skip


def test_keys_turn_the_slides_and_the_address_follows(open_page, html):
    opened = open_page(html, viewport=PROJECTOR)
    ways = [("ArrowRight", 1), ("PageDown", 2), (" ", 3), ("ArrowDown", 4), ("ArrowLeft", 3), ("PageUp", 2),
            ("ArrowUp", 1), ("End", COUNT - 1), ("ArrowRight", COUNT - 1), ("Home", 0), ("ArrowLeft", 0)]  # fmt: skip
    for key, at in ways:
        opened.keyboard.press(key)
        assert opened.evaluate("Math.round(scrollY / innerHeight)") == at, key
        assert opened.url.endswith(f"#{at}")


def test_a_slide_that_is_taller_than_the_window_is_scrolled(open_page, html):
    opened = open_page(html, "#7", viewport={"width": 900, "height": 300})
    before = opened.evaluate("scrollY")
    opened.keyboard.press("ArrowDown")
    opened.wait_for_timeout(300)
    assert 0 < opened.evaluate("scrollY") - before < 300
    assert opened.url.endswith("#7")


def test_links_turn_the_slides_without_scripts(open_page, html):
    opened = open_page(html, viewport=PROJECTOR, java_script_enabled=False)
    opened.get_by_label("next slide").nth(2).click()
    assert opened.url.endswith("#4")
    assert opened.locator("h2").nth(3).is_visible()


def test_printed_each_is_one_sheet_on_white(open_page, html, tmp_path):
    opened = open_page(html, color_scheme="dark", viewport=PROJECTOR)
    file = tmp_path / "slides.pdf"
    opened.pdf(path=file, prefer_css_page_size=True)
    assert Path(file).read_bytes().count(b"/Type /Page\n") == COUNT
    opened.emulate_media(media="print")
    assert unreadable(opened.evaluate(MEASURE)) == []
    assert opened.locator(".deck").evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(255, 255, 255)"


def test_names_for_assistive_technology(open_page, html):
    opened = open_page(html, viewport=PROJECTOR)
    assert opened.locator("table:not(:has(caption))").count() == 0
    assert opened.locator("svg:not([aria-hidden]):not([aria-label])").count() == 0
    assert opened.locator("th:not([scope])").count() == 0
    assert opened.locator("h1").count() == 1
    assert opened.locator("h2").count() == COUNT - 1
