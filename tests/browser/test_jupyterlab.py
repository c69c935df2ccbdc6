"""The views in JupyterLab: a notebook is run, stepped by keys, closed, opened again without a kernel; and panels."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
TRACE = """
from workbench.present.web import trace

trace("generic", "migrate", ["steal_time"], failure="lost-registration")
"""
PANEL = """
from workbench.present.widgets import OperationPanel

OperationPanel("generic", "kvmclock")
"""
PATIENCE = 90_000  # ms: a kernel starts, on a busy machine


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A server of its own, with a notebook; nothing of the user's configuration is read or written."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (TRACE, PANEL)]
    document = nbformat.v4.new_notebook(cells=cells)
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(document, folder / "views.ipynb")
    port = free_port()
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}", "--ServerApp.token=views", f"--ServerApp.root_dir={folder}",
            "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env={**os.environ, **own, "IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(300):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=views", timeout=5)
                break
            assert server.poll() is None, "JupyterLab ended"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/workspaces/{{}}/tree/views.ipynb?token=views", folder / "views.ipynb"
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # a server that is asked to end waits for its kernels
        server.wait(20)


@pytest.fixture
def notebook(browser, lab):
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(lab[0].format("first"), wait_until="commit")
    yield page
    context.close()


def run_all(page):
    """Run the cells, and see that they begin.

    Until a kernel is connected JupyterLab forgets what it is asked to run, without a word, and the notebook's own mark
    says "idle" from the start; the status bar tells the truth.
    """
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
    page.locator(".jp-Cell").first.click()
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(".jp-InputPrompt").filter(has_text=re.compile(r"\[[*\d]+\]")).first.wait_for(timeout=20_000)


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
    notebook.goto(lab[0].format("again"), wait_until="commit")
    notebook.locator(".jp-Notebook").wait_for()
    assert stepped(notebook) == "20 of 21"
    assert "model not found" not in notebook.locator(".jp-Notebook").inner_text()
