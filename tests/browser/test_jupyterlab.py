"""The views in JupyterLab: a notebook is run, stepped by keys, closed, opened again without a kernel; and panels."""

import nbformat
import pytest

from benchmarks._jupyterlab import jupyterlab, run_all, write_notebook

TRACE = """
from workbench.present.web import trace

trace("generic", "migrate", ["steal_time"], failure="lost-registration")
"""
PANEL = """
from workbench.present.widgets import OperationPanel

OperationPanel("generic", "kvmclock")
"""
PATIENCE = 90_000  # ms: a kernel starts, on a busy machine


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a notebook in a server of its own, and its file."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "views.ipynb", (TRACE, PANEL))
    with jupyterlab(folder) as address:
        yield address, folder / "views.ipynb"


@pytest.fixture
def notebook(browser, lab):
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(lab[0].format("first", lab[1].name), wait_until="commit")
    yield page
    context.close()


def save(page, file):
    """Save, and wait until the file holds the outputs."""
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    for _ in range(200):
        if "pvw-body" in str(nbformat.read(file, 4).cells[0].outputs):
            return
        page.wait_for_timeout(100)
    pytest.fail("the notebook was not saved")


def stepped(page):
    """Step the first view by keys, and return its count."""
    view = page.locator(".pvw-body").first
    view.wait_for()
    view.evaluate("view => view.scrollIntoView()")
    view.locator("input[type=range]").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    return view.locator(".pvw-count").inner_text()


@pytest.mark.timeout(300)
def test_run_step_save_and_open_again_without_a_kernel(notebook, lab):
    run_all(notebook)
    assert stepped(notebook) == "20 of 21"
    panel = notebook.locator(".widget-vbox .pvw-body")
    panel.wait_for()
    assert "register kvmclock" in panel.inner_text()
    notebook.locator(".widget-vbox select").first.evaluate("box => box.scrollIntoView()")
    notebook.locator(".widget-vbox select").first.select_option("update")
    notebook.get_by_role("heading", name="generic: update kvmclock").wait_for()
    save(notebook, lab[1])
    notebook.goto(lab[0].format("again", lab[1].name), wait_until="commit")
    notebook.locator(".jp-Notebook").wait_for()
    assert stepped(notebook) == "20 of 21"
    assert "model not found" not in notebook.locator(".jp-Notebook").inner_text()
    notebook.get_by_text("Copy or save this trace").first.click()
    with notebook.expect_download() as saved:
        notebook.get_by_role("button", name="save PNG").first.click()
    assert saved.value.suggested_filename == "generic-migrate-lost-registration.png"
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
