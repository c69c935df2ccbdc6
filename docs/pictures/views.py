"""Draw the README's pictures of the views: ``python docs/pictures/views.py`` (needs playwright and chromium).

Each PNG holds a checksum of the page that it shows, by which a test tells whether it is current.
"""

import hashlib
import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from workbench.lifecycle import EVENTS
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import variants
from workbench.present.web import comparison, failure_map, page, trace

FOLDER = Path(__file__).parent
FAILING = (
    "kexec-no-teardown", "migrate", "ignore-msrs", "old-host", "hostile-bad-base", "double-registration-crossing"
)  # fmt: skip
SIZES = [Size(1, ("kvmclock",)), Size(1, ("async_pf",))]
#: Keys pressed and what is clicked before the picture is taken, and the height of the picture in pixels.
SCENES = {
    "view-trace": ("b", None, 480),
    "view-failures": ("", ".pvw-cell.pvw-fails >> nth=2", 770),
    "view-comparison": ("", None, 660),
}


def pages() -> dict[str, str]:
    """Return the page that each picture shows, by the picture's name."""
    designs = variants(["generic", "per_feature"])
    cells = matrix(designs, [EVENTS[name] for name in FAILING], sizes=SIZES)
    return {
        "view-trace": page("A trace", [trace("generic", "descriptor-race", ["wall_clock"], failure="double-fetch")]),
        "view-failures": page("What fails", [failure_map(cells, designs, SIZES)]),
        "view-comparison": page("Comparison", [comparison(designs, ["boot", "kexec", "migrate"], event="kexec")]),
    }


def checksum(html: str) -> str:
    """Return what a picture remembers of its page."""
    return hashlib.sha256(html.encode()).hexdigest()


def main() -> None:
    """Draw every picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        )
        for name, html in pages().items():
            key, clicked, height = SCENES[name]
            view = browser.new_page(viewport={"width": 1100, "height": height})
            view.set_content(html)
            view.evaluate("document.querySelector('h1').remove()")
            if key:
                view.locator(".pvw-list").focus()
                view.keyboard.press(key)
            if clicked:
                view.locator(clicked).click()
            view.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
            view.wait_for_timeout(300)
            told = PngInfo()
            told.add_text("page", checksum(html))
            picture = Image.open(BytesIO(view.screenshot())).quantize(64)
            picture.save(FOLDER / f"{name}.png", optimize=True, pnginfo=told)
            sys.stdout.write(f"{name}.png\n")
        browser.close()


if __name__ == "__main__":
    main()
