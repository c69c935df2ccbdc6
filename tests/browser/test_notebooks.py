"""The committed notebooks as HTML: how long each is, and what is there where no script runs."""

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.notebooks.refresh import notebooks

#: A reader's patience: this many screens of a laptop.
SCREENS, WIDTH, HEIGHT = 8, 1200, 900
PATHS = [pytest.param(path, id=path.stem) for path in notebooks()]


@pytest.fixture
def shown(browser):
    """Open a notebook as nbconvert writes it; what it asks the network for does not come."""
    opened = []

    def show(path, **options):
        context = browser.new_context(offline=True, viewport={"width": WIDTH, "height": HEIGHT}, **options)
        opened.append(context)
        body, _ = HTMLExporter().from_notebook_node(nbformat.read(path, as_version=4))
        page = context.new_page()
        page.route("http*://**", lambda route: route.abort())
        page.set_content(body, wait_until="commit")
        page.locator("h1").first.wait_for()
        return page

    yield show
    for context in opened:
        context.close()


@pytest.mark.parametrize("path", PATHS)
def test_it_is_not_longer_than_eight_screens(shown, path):
    page = shown(path)
    page.wait_for_function("[...document.querySelectorAll('.pvw')].every(one => one.querySelector('.pvw-body'))")
    assert page.evaluate("document.documentElement.scrollHeight") <= SCREENS * HEIGHT
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


@pytest.mark.parametrize("path", PATHS)
def test_without_scripts_each_view_is_its_text(shown, path):
    page = shown(path, java_script_enabled=False)
    views = page.locator(".pvw").all()
    for view in views:
        assert view.locator("pre").is_visible()
        assert "function" not in view.inner_text()
    assert len(views) == sum(
        'class="pvw"' in output.get("data", {}).get("text/html", "")
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
    )
