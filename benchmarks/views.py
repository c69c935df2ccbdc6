"""Measures how long views take from a key to the changed picture: `python -m benchmarks.views [--json]`.

Chromium draws a page of its own, without a network. One sample is the time from a key (or a click) until the frame that
shows its effect has been painted. The stepper shows a trace of a few and of more than 300 steps, the comparison two
designs under every event, the failure map opens a trace. Aims: median below 30 ms and 95th percentile below 60 ms for
keys, below 100 ms for a click in the map. Needs playwright and chromium (``make test-browser``).
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import variants
from workbench.present.web import View, comparison, failure_map, page, trace

SAMPLES = 60
#: Takes one sample: act, wait for what comes of it if that comes later, wait until the next frame has been painted.
TIMED = """
async (node, act, coming) => {
  const begun = performance.now();
  const come = coming && coming(node);
  act(node);
  await come;
  await new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(null);
  }));
  return performance.now() - begun;
}
"""
KEY = "(node) => node.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))"
MOVE = """(node) => {
  node.value = node.value === node.max ? node.min : Number(node.value) + 1;
  node.dispatchEvent(new Event("input"));
}"""
CLICK = """(grid) => {
  const failing = [...grid.querySelectorAll("button.pvw-fails")];
  window.at = ((window.at || 0) + 1) % failing.length;
  failing[window.at].click();
}"""


def cases() -> list[tuple[str, View, str, str]]:
    """Return (what, view, selector of what is acted on, the action)."""
    designs = variants(["generic", "per_feature"])
    sizes = [Size(1, ("steal_time",))]
    cells = matrix(designs, None, sizes=sizes)
    slider = "input[type=range]"
    short = trace("generic", "migrate", ["steal_time"], failure="lost-registration")
    long = trace("per_feature", "kexec", ["kvmclock", "steal_time", "async_pf", "pv_eoi"], vcpus=3)
    return [
        (f"stepper, {len(short.data['steps'])} steps: key", short, slider, KEY),
        (f"stepper, {len(long.data['steps'])} steps: key", long, slider, KEY),
        ("comparison, every event: slider", comparison(designs, each_feature=False), slider, MOVE),
        ("failure map: click opens a trace", failure_map(cells, designs, sizes), ".pvw-grid", CLICK),
    ]


def samples(place: Any, selector: str, action: str, count: int, coming: str = "null", pause: float = 0) -> list[float]:
    """Return ``count`` samples in milliseconds, in order of size; the first ones, which compile, are not counted.

    ``place``: a page or a part of one. ``coming``: a function of the node that returns a promise of what the action
    brings about. ``pause``: milliseconds between two samples.
    """
    node, taken = place.locator(selector).first, []
    for _ in range(count + 5):
        taken.append(node.evaluate(f"(node) => ({TIMED})(node, {action}, {coming})"))
        node.page.wait_for_timeout(pause)
    return sorted(taken[5:])


def summary(found: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile of sorted samples."""
    return statistics.median(found), found[int(0.95 * len(found))]


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="benchmarks.views", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    chosen = parser.parse_args()
    rows = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        switches = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        for what, shown, selector, action in cases():
            file = Path(folder) / "page.html"
            file.write_text(page(what, [shown]), encoding="utf-8")
            opened = browser.new_page(viewport={"width": 1300, "height": 900})
            opened.goto(file.as_uri())
            found = samples(opened, selector, action, chosen.samples)
            rows.append((what, *summary(found), file.stat().st_size // 1024))
            opened.close()
        version = browser.version
        browser.close()
    if chosen.json:
        print(json.dumps({"chromium": version, "machine": platform.machine(), "milliseconds": rows}, indent=1))
        return
    print(f"Chromium {version}, {platform.machine()}; milliseconds from the key to the painted frame")
    print(f"{'what':<36} {'median':>7} {'95 %':>7} {'KiB':>6}")
    for what, median, high, size in rows:
        print(f"{what:<36} {median:7.1f} {high:7.1f} {size:6}")


if __name__ == "__main__":
    main()
