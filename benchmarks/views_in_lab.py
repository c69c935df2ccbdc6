"""Measures the views in JupyterLab, beside ipywidgets: `python -m benchmarks.views_in_lab [--json]`.

One notebook is run in a JupyterLab of its own, in Chromium. A sample is the time from a key until the frame that shows
its effect is painted: for the views, which ask nobody; for ``interact`` with a callback that shows nothing (until the
kernel is idle again: there is nothing to paint), with one that returns its number, and with one that ends in
``plt.show()``; for a panel that computes in Python; and for the app, whose answers come from a process of their own.
Needs playwright and chromium (``make test-browser``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks._jupyterlab import ROOT, jupyterlab, run_all, write_notebook
from benchmarks.views import CLICK, KEY, MOVE, samples, summary

SAMPLES = 40
PAUSE = 100.0  #: ms between two samples, in which the kernel comes to rest
VIEWS = "from workbench.present.web import comparison, failure_map, trace\n"
INTERACT = "from ipywidgets import IntSlider, interact\nslider = IntSlider(0, 0, 1000)\n"
#: Take the other one of the first two choices.
CHOOSE = """(node) => {
  node.selectedIndex = 1 - node.selectedIndex;
  node.dispatchEvent(new Event("change", { bubbles: true }));
}"""
#: What a cell shows, its source, what is acted on, the action, what is waited for before the frame.
CELLS = (
    (
        "stepper, few steps: key",
        f'{VIEWS}trace("generic", "migrate", ["steal_time"], failure="lost-registration")',
        ".pvw-body input[type=range]", KEY, "null",
    ),
    (
        "stepper, more than 300 steps: key",
        f'{VIEWS}trace("per_feature", "kexec", ["kvmclock", "steal_time", "async_pf", "pv_eoi"], vcpus=3)',
        ".pvw-body input[type=range]", KEY, "null",
    ),
    (
        "comparison, every event: slider",
        f'{VIEWS}comparison(["generic", "per_feature"], each_feature=False)',
        ".pvw-body input[type=range]", MOVE, "null",
    ),
    (
        "failure map, some events: click opens a trace",
        f"""{VIEWS}
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import variants

designs, sizes = variants(["generic", "per_feature"]), [Size(1, ("steal_time",))]
events = ["kexec", "kexec-no-teardown", "migrate", "ignore-msrs", "memslot-unplug", "double-registration-crossing"]
failure_map(matrix(designs, events, sizes=sizes), designs, sizes)""",
        ".pvw-grid", CLICK, "null",
    ),
    ("interact, an empty callback: key to idle", f"{INTERACT}interact(lambda n: None, n=slider);",
     ".noUi-handle", KEY, "() => new Promise((done) => { window.whenIdle = done; })"),
    ("interact, the callback returns its number: key", f"{INTERACT}interact(lambda n: n, n=slider);",
     ".noUi-handle", KEY, "PRE"),
    (
        "interact, the callback ends in plt.show(): key",
        f"""{INTERACT}
import matplotlib.pyplot as plt


def shown(n):
    plt.plot([0, 1, 2], [0, n, 2])
    plt.show()


interact(shown, n=slider);""",
        ".noUi-handle", KEY, "IMG",
    ),
    (
        "OperationPanel, computed in the kernel: choice",
        'from workbench.present.widgets import OperationPanel\nOperationPanel("generic", "kvmclock")',
        "select", CHOOSE, "VIEW",
    ),
)  # fmt: skip
#: Promises of a change in the cell's output: of a text, of a picture that has been decoded, of a view.
CHANGES = {
    "PRE": ("pre", "node.textContent", "null"),
    "IMG": ("img", "node.src", "node.decode()"),
    "VIEW": (".pvw-body h3", "node.textContent", "null"),
}
CHANGED = """(node) => new Promise((done) => {{
  const cell = node.closest(".jp-Cell");
  const seen = () => {{ const node = cell.querySelector(".jp-OutputArea {selector}"); return node && {look}; }};
  const before = seen();
  const watch = new MutationObserver(async () => {{
    const now = seen();
    if (!now || now === before) return;
    watch.disconnect();
    const node = cell.querySelector(".jp-OutputArea {selector}");
    await {ready};
    done();
  }});
  watch.observe(cell, {{ childList: true, subtree: true, attributes: true, characterData: true }});
}})"""
#: Calls window.whenIdle for each message in which a kernel says that it is idle.
IDLE = """
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...all) {
    super(...all);
    this.addEventListener("message", async (event) => {
      const data = event.data instanceof Blob ? await event.data.arrayBuffer() : event.data;
      const text = typeof data === "string" ? data : new TextDecoder().decode(data);
      if (window.whenIdle && text.includes('"execution_state": "idle"')) { window.whenIdle(); window.whenIdle = null; }
    });
  }
};
"""
ANSWERED = """(node) => new Promise((done) => {
  const frame = document.getElementById("frame");
  const wanted = `generic: ${node.options[1 - node.selectedIndex].text} kvmclock`;
  const look = () => {
    const head = frame.contentDocument && frame.contentDocument.querySelector(".pvw-body h3");
    if (head && head.textContent === wanted) done();
    else requestAnimationFrame(look);
  };
  look();
})"""


def in_lab(browser: Any, folder: Path, count: int) -> Iterator[tuple[str, float, float]]:
    """Yield (what, median, 95th percentile) for each cell."""
    write_notebook(folder / "views.ipynb", [source for _, source, *_ in CELLS])
    with jupyterlab(folder) as address:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.set_default_timeout(180_000)
        page.add_init_script(IDLE)
        page.goto(address.format("bench", "views.ipynb"), wait_until="commit")
        run_all(page)
        for number, (what, _, selector, action, coming) in enumerate(CELLS):
            cell = page.locator(".jp-CodeCell").nth(number)
            cell.evaluate("cell => cell.scrollIntoView()")
            cell.locator(selector).first.wait_for(state="attached")
            cell.locator(".jp-OutputArea-output").first.evaluate("output => output.scrollIntoView()")
            page.wait_for_timeout(1000)
            if coming in CHANGES:
                where, look, ready = CHANGES[coming]
                coming = CHANGED.format(selector=where, look=look, ready=ready)
            yield what, *summary(samples(cell, selector, action, count, coming, PAUSE))
        page.close()


def in_app(browser: Any, count: int) -> Iterator[tuple[str, float, float]]:
    """Yield the same for one choice in a form of the app."""
    command = [sys.executable, "-m", "workbench", "app", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        assert server.stdout is not None
        page.goto(f"{server.stdout.readline().strip()}operation")
        page.frame_locator("#frame").locator(".pvw-body").wait_for()
        found = samples(page, "select", CHOOSE, count, ANSWERED, PAUSE)
        yield "workbench app, a process for each answer: choice", *summary(found)
        page.close()
    finally:
        server.terminate()
        server.communicate()


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="benchmarks.views_in_lab", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    chosen = parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        switches = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        rows = [*in_lab(browser, Path(folder), chosen.samples), *in_app(browser, chosen.samples)]
        versions = {"Chromium": browser.version, "Python": sys.version.split()[0]}
        browser.close()
    versions |= {name: version(name) for name in ("jupyterlab", "ipykernel", "ipywidgets", "matplotlib")}
    load = f"{os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} CPUs"
    if chosen.json:
        print(json.dumps({"versions": versions, "load": load, "milliseconds": rows}, indent=1))
        return
    print(f"{', '.join(map(' '.join, versions.items()))}; load {load}")
    print(f"{'milliseconds to the painted frame':<52} {'median':>7} {'95 %':>7}")
    for what, median, high in rows:
        print(f"{what:<52} {median:7.1f} {high:7.1f}")


if __name__ == "__main__":
    main()
