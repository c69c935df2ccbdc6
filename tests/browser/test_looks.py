"""How every view looks: contrast in both themes, narrow windows, print, and names for assistive technology."""

import pytest

from workbench.present.web import page, trace

#: WCAG 2.2, 1.4.3: text of ordinary size.
CONTRAST = 4.5

#: For every element with text of its own: the text, and the contrast of its colour with what is behind it.
MEASURE = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const numbers = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || ["SCRIPT", "STYLE", "OPTION"].includes(node.tagName)) continue;
    const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))];
    found.push([node.textContent.trim().slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def views(map_view, comparison_view):
    return {
        "trace": trace("generic", "kexec-no-teardown", ["steal_time"], failure="stray-write"),
        "matrix": map_view,
        "compare": comparison_view,
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["trace", "matrix", "compare"])
def test_contrast(open_page, views, kind, scheme):
    opened = open_page(page(kind, [views[kind]]), color_scheme=scheme)
    if kind == "matrix":
        opened.locator(".pvw-cell.pvw-fails").nth(1).click()
    if kind != "compare":
        opened.get_by_role("button", name="Where it breaks").click()
    found = opened.evaluate(MEASURE)
    assert len(found) > 30
    assert [(text, round(ratio, 2)) for text, ratio in found if ratio < CONTRAST] == []


@pytest.mark.parametrize("kind", ["trace", "matrix", "compare"])
def test_a_window_of_800_pixels_needs_no_sideways_scrolling(open_page, views, kind):
    opened = open_page(page(kind, [views[kind]]), viewport={"width": 800, "height": 700})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 800


@pytest.mark.parametrize("kind", ["trace", "matrix", "compare"])
def test_every_control_has_a_name(open_page, views, kind):
    opened = open_page(page(kind, [views[kind]]))
    named = "node.getAttribute('aria-label') || node.textContent.trim() || node.closest('label')"
    all_of_them = "[...document.querySelectorAll('button, input, select, [role=region]')]"
    assert opened.evaluate(f"{all_of_them}.filter(node => !({named})).map(node => node.outerHTML)") == []


def test_print_shows_every_step_and_no_control(open_page, views):
    opened = open_page(page("trace", [views["trace"]]), viewport={"width": 1000, "height": 300})
    opened.emulate_media(media="print")
    assert not opened.locator(".pvw-bar").is_visible()
    hidden = opened.locator(".pvw-list").evaluate("box => box.scrollHeight - box.clientHeight")
    assert hidden <= 1
    assert opened.locator(".pvw-steps tbody tr").count() == len(views["trace"].data["steps"])
