"""The app in a browser: forms by keys, answers, cancelling, errors, both themes, narrow windows."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.test_looks import CONTRAST, MEASURE
from workbench.present.app.questions import QUESTIONS

ROOT = Path(__file__).resolve().parents[2]
UNNAMED = """
() => [...document.querySelectorAll('button, input, select, iframe, a')].filter((node) => !(
  node.getAttribute('aria-label') || node.textContent.trim() || node.title || node.closest('label')
)).map((node) => node.outerHTML)
"""


@pytest.fixture(scope="module")
def app(browser):
    """The address of a server of its own."""
    command = [sys.executable, "-m", "workbench", "app", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    yield server.stdout.readline().strip()
    server.send_signal(signal.SIGTERM)
    assert server.communicate(timeout=20)[1] == "workbench: terminated; the app has ended\n"


@pytest.fixture
def visit(browser, app):
    """Open a page of the app; at the end: it has asked for nothing outside, and the console has no complaint."""
    opened, said = [], []

    def visited(place="", **options):
        options.setdefault("viewport", {"width": 1200, "height": 900})
        context = browser.new_context(**options)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith((app, "data:", "blob:")) or said.append(asked.url))
        opened.append(context)
        page.goto(app + place)
        return page

    yield visited
    for context in opened:
        context.close()
    assert said == []


def answer(page):
    return page.frame_locator("#frame")


def test_the_start_page_leads_to_every_question_and_to_notebooks_without_code(visit):
    page = visit()
    for question in QUESTIONS.values():
        assert page.locator("ul").get_by_role("link", name=question.title, exact=True).count() == 1
    page.get_by_role("link", name="How can registration go wrong?").click()
    page.locator(".pvw-body").first.wait_for()
    assert page.locator("h1").count() == 1
    said = page.locator("main").inner_text()
    assert "import " not in said
    assert "In [" not in said
    assert page.locator(".pvw-body input[type=range]").count() > 0
    page.get_by_role("link", name="Start").click()
    page.get_by_role("heading", name="A design of your own").wait_for()


def test_a_panel_is_changed_by_keys(visit):
    page = visit("operation")
    answer(page).get_by_role("heading", name="generic: register kvmclock").wait_for()
    page.get_by_label("Operation").focus()
    page.keyboard.press("ArrowDown")
    answer(page).get_by_role("heading", name="generic: update kvmclock").wait_for()
    assert page.locator("#command").inner_text().startswith("workbench page operation generic --feature=kvmclock")
    again = visit(f"operation?{page.url.partition('?')[2]}")
    answer(again).get_by_role("heading", name="generic: update kvmclock").wait_for()


def test_a_slider_in_the_answer_moves_by_keys_and_stays_where_it_is(visit):
    page = visit("compare")
    answer(page).get_by_label("vCPUs", exact=True).focus()
    page.keyboard.press("ArrowRight")
    spoken = answer(page).locator(".pvw-spoken")
    spoken.filter(has_text="96 vCPUs").wait_for()
    page.get_by_label("null").check()
    spoken.filter(has_text="null").wait_for()
    assert "96 vCPUs" in spoken.inner_text()


def test_a_failure_is_clicked_and_stepped_to_the_sentence_that_it_violates(visit):
    page = visit("matrix?protocols=generic&events=migrate&features=steal_time&vcpus=1")
    page.get_by_role("button", name="Show").click()
    answer(page).locator("td .pvw-cell.pvw-fails").click()
    answer(page).get_by_role("button", name="Where it breaks").click()
    answer(page).get_by_text("lost registration: the guest believes").first.wait_for()


def test_long_work_tells_how_far_it_is_and_is_cancelled(visit):
    page = visit("matrix?protocols=generic&events=migrate&features=steal_time&vcpus=1")
    page.get_by_role("button", name="Show").click()
    answer(page).locator(".pvw-cell").first.wait_for()
    page.get_by_label("Events").fill("all")
    page.get_by_label("vCPUs").fill("")
    page.get_by_label("vCPUs").press("Tab")
    page.get_by_text("the settings have changed: press Show").wait_for()
    assert page.locator("#frame").evaluate("frame => getComputedStyle(frame).opacity") == "0.35"
    page.get_by_role("button", name="Show").click()
    page.locator("#told").filter(has_text=re.compile(r"\d+ of \d+: generic under .* \(\d+ s\)")).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("alert").filter(has_text="cancelled: nothing is known of these settings").wait_for()
    assert not page.locator("#frame").is_visible()
    assert not page.get_by_role("button", name="Cancel").is_visible()


def test_an_error_stands_alone_and_hostile_names_are_text(visit):
    page = visit("operation")
    answer(page).get_by_role("heading", name="generic: register").wait_for()
    name = "<img src=x onerror=alert(1)>"
    page.get_by_label("Protocol").fill(name)
    page.get_by_label("Protocol").press("Enter")
    page.get_by_role("alert").filter(has_text=f"unknown protocol '{name}'").wait_for()
    assert not page.locator("#frame").is_visible()
    page.get_by_role("button", name="Reset").click()
    answer(page).get_by_role("heading", name="generic: register").wait_for()
    assert not page.get_by_role("alert").is_visible()


def test_slides_keep_the_height_of_their_frame(visit):
    """They are as tall as their window: a frame that followed them would grow for ever."""
    page = visit("slides")
    answer(page).get_by_role("heading", name="Does the simulator agree").wait_for(timeout=60_000, state="attached")
    tall = "frame => frame.offsetHeight"
    before = page.locator("#frame").evaluate(tall)
    page.wait_for_timeout(500)
    assert page.locator("#frame").evaluate(tall) == before <= page.viewport_size["height"]
    answer(page).locator("body").press("ArrowRight")
    answer(page).get_by_role("heading", name="What is memory that").wait_for()


def test_a_design_of_ones_own_is_named_by_its_path(visit):
    own = ROOT / "tests/protocols/data/third.py"
    page = visit(f"operation?protocol={own}:RegisterArray&feature=kvmclock&what=register")
    answer(page).get_by_role("heading", name="register_array: register kvmclock").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_names_and_800_pixels(visit, scheme):
    page = visit(color_scheme=scheme, viewport={"width": 800, "height": 700})
    address = page.url
    for place in ("", *QUESTIONS, "read/02-generic"):
        page.goto(address + place)
        if place in ("operation", "registers"):
            answer(page).locator(".pvw-body").wait_for()
            assert answer(page).locator("html").evaluate("page => page.scrollWidth") <= 800
        found = page.evaluate(MEASURE)["texts"]
        assert len(found) > 10
        assert [(place, text, ratio) for text, ratio in found if ratio < CONTRAST] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 800, place
        assert page.evaluate(UNNAMED) == []


def test_without_scripts_a_question_says_what_to_type(visit):
    page = visit("compare", java_script_enabled=False)
    assert "workbench page compare --help" in page.locator("main").inner_text()


def test_an_answer_is_saved_and_its_command_line_copied(visit, tmp_path):
    page = visit("operation", permissions=["clipboard-read", "clipboard-write"])
    answer(page).get_by_role("heading", name="generic: register kvmclock").wait_for()
    page.get_by_role("button", name="copy command line").click()
    page.locator("#told").filter(has_text="copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#command").inner_text()
    with page.expect_download() as saved:
        page.get_by_role("link", name="save as a file").click()
    saved.value.save_as(tmp_path / "operation.html")
    assert saved.value.suggested_filename == "operation.html"
    assert "generic: register kvmclock" in (tmp_path / "operation.html").read_text(encoding="utf-8")
