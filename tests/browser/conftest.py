"""A browser for the tests of the views: Debian's Chromium, driven by Playwright. Without it they are skipped."""

import shutil
import tempfile
from pathlib import Path

import pytest

from workbench.lifecycle import EVENTS
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import DEFAULT, variant, variants
from workbench.measure.verdict.page import page as verdicts
from workbench.measure.verdict.scope import Scope
from workbench.present.web import (
    comparison,
    failure_map,
    operation,
    recorded,
    register_map,
    side_by_side,
    trace,
    verdict_page,
    version_skew,
)

DESIGNS = ("generic", "generic+carry-registry", "per_feature")
COMPARED = ("boot", "migrate", "cpu-hotplug")
EXPLORED = ("kexec-no-teardown", "migrate", "ignore-msrs", "hostile-bad-base")
SIZES = [Size(1, ("steal_time",)), Size(1, ("async_pf",))]

#: The kinds of views, by the name under which ``views`` has one of each.
KINDS = ("trace", "operation", "pair", "matrix", "compare", "registers", "measured", "skew", "verdict")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OWN = ("file:", "data:", "blob:")  # what a page may ask for
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows what was on its pages: their text, and where a picture of each is."""
    report = yield
    if call.when == "call" and report.failed and "browser" in item.funcargs:
        for shown in [one for context in item.funcargs["browser"].contexts for one in context.pages]:
            picture = Path(tempfile.mkdtemp(prefix=f"{item.name[:40].replace('/', '-')}-"), "page.png")
            shown.screenshot(path=picture)
            report.sections.append((f"{shown.url} (picture: {picture})", shown.locator("body").inner_text()[:2000]))
    return report


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: browser)")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Open a file with the network off; at the end: it has asked for nothing, and the console has no complaint."""
    opened, said = [], []

    def open_it(html, fragment="", **options):
        path = tmp_path / f"page{len(opened)}.html"
        path.write_text(html, encoding="utf-8")
        options.setdefault("viewport", {"width": 1200, "height": 900})
        context = browser.new_context(offline=True, **options)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(OWN) or said.append(asked.url))
        opened.append(context)
        page.goto(path.as_uri() + fragment)
        return page

    yield open_it
    for context in opened:
        context.close()
    assert said == []


@pytest.fixture(scope="session")
def explored():
    """The cells of a small matrix, and its variants."""
    chosen = variants(DESIGNS)
    return matrix(chosen, [EVENTS[name] for name in EXPLORED], sizes=SIZES), chosen


@pytest.fixture(scope="session")
def map_view(explored):
    return failure_map(*explored, SIZES)


@pytest.fixture(scope="session")
def comparison_view():
    return comparison(DESIGNS, COMPARED, ["kvmclock", "steal_time", "watchdog"])


@pytest.fixture(scope="session")
def views(map_view, comparison_view):
    """A view of each kind."""
    return {
        "trace": trace("generic", "migrate", ["steal_time"], failure="lost-registration"),
        "operation": operation("generic", "steal_time", "update"),
        "pair": side_by_side(["generic", "per_feature"], "migrate", ["steal_time"]),
        "matrix": map_view,
        "compare": comparison_view,
        "registers": register_map(),
        "measured": recorded(),
        "skew": version_skew(),
        "verdict": verdict_page(
            verdicts({name: variant(name) for name in DEFAULT}, Scope(("pv_eoi",), ("boot",), repairs=False)), DEFAULT
        ),
    }
