"""What a reader takes away from each view: pictures, numbers, and ways to ask for the same again; without a network."""

import csv
import io
import json
import re
import shlex
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from PIL import Image

from tests.browser.conftest import KINDS
from workbench.cli import main
from workbench.measure import compare
from workbench.present.web import page

TAGS = ("svg", "title", "defs", "pattern", "circle", "rect", "path", "text")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def opened(open_page, views):
    def open_it(kind, **options):
        found = open_page(page(kind, [views[kind]]), **options)
        found.get_by_text("Copy or save").first.click()
        return found

    return open_it


def saved(view, form):
    with view.expect_download() as waiting:
        view.get_by_role("button", name=f"save {form}").first.click()
    download = waiting.value
    assert re.fullmatch(rf"[\w+.-]+\.{form.lower()}", download.suggested_filename)
    view.get_by_text(f"saved {download.suggested_filename}").first.wait_for()
    return download.suggested_filename, download.path().read_bytes()


def copied(view, what):
    view.get_by_role("button", name=f"copy {what}").first.click()
    view.get_by_text(f"copied {what}").first.wait_for()
    return view.evaluate("navigator.clipboard.readText()")


CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_is_saved_as_svg_and_as_png(opened, kind):
    view = opened(kind)
    name, svg = saved(view, "SVG")
    root = ElementTree.fromstring(svg)
    opens_alone(root, svg)
    assert root.find(f"{SVG}title").text == name.removesuffix(".svg")
    shown = "".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    cells = view.locator(".pvw-body table").first.locator("th, td").all_text_contents()
    assert [word for cell in cells for word in cell.split() if word not in shown] == []
    cut, met = faults(root)
    assert (cut, met) == ([], [])
    is_drawn(saved(view, "PNG")[1], root)


def opens_alone(root, svg):
    """Plain SVG: no HTML inside, no class or variable of the page's style sheet, nothing to fetch."""
    assert root.tag == f"{SVG}svg"
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= set(TAGS)
    assert all(foreign not in svg for foreign in (b"var(--", b"class=", b"href="))


def faults(root):
    """Texts that leave the picture, and pairs of texts that meet."""
    width, height = float(root.get("width")), float(root.get("height"))
    boxes = []
    for one in root.iter(f"{SVG}text"):
        x, y, length = (float(one.get(name)) for name in ("x", "y", "textLength"))
        tall = 0.7 * float(one.get("font-size").removesuffix("px"))
        turned = one.get("transform") is not None
        box = (x - tall, y - length, x, y) if turned else (x, y - tall, x + length, y)
        boxes.append((one.text, box))
    cut = [text for text, (a, b, c, d) in boxes if a < 0 or b < 0 or c > width or d > height]
    met = [
        (one, other) for (one, a), (other, b) in combinations(boxes, 2)
        if a[0] + 1 < b[2] and b[0] + 1 < a[2] and a[1] + 1 < b[3] and b[1] + 1 < a[3]
    ]  # fmt: skip
    return cut, met


def is_drawn(png, root):
    """The PNG is of twice the size, on white paper, with much on it."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    assert picture.size == (2 * int(root.get("width")), 2 * int(root.get("height")))
    colours = picture.getcolors(1 << 24)
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert sum(count for count, _ in colours) - max(colours)[0] > 10_000


@pytest.mark.parametrize("kind", ["trace", "matrix", "compare"])
def test_the_picture_is_the_same_in_a_dark_theme_a_narrow_window_and_scrolled(opened, kind):
    usual = saved(opened(kind), "SVG")
    dark = opened(kind, color_scheme="dark")
    dark.evaluate("window.scrollTo(0, 200)")
    assert saved(dark, "SVG") == usual
    assert saved(opened(kind, viewport={"width": 800, "height": 600}), "SVG") == usual


def rows_of(view, form="CSV"):
    return list(csv.DictReader(io.StringIO(saved(view, form)[1].decode())))


def test_the_numbers_of_the_comparison_are_those_of_runs(opened, views):
    data = views["compare"].data
    table = compare(data["asked"]["designs"], list(data["asked"]["events"]), data["asked"]["all"], vcpus=64)
    value = {(row.event, row.protocol, row.metric): row.value for row in table.itertuples()}
    rows = rows_of(opened("compare"))
    assert len(rows) == len(data["events"]) * len(data["designs"])
    for row in rows:
        key = (row["event"], row["protocol"])
        assert int(row["kernel_exits"]) + int(row["user_exits"]) == value[(*key, "exits")]
        assert int(row["carried"]) + int(row["uncarried"]) == value[(*key, "state_bytes")]
        assert row["fate"] == value[(*key, "fate")]


def test_the_csv_of_the_map_has_every_verdict(opened, explored):
    rows = rows_of(opened("matrix"))
    said = [(row["protocol"], row["event"], row["verdict"], row["steps"]) for row in rows]
    cells = [(str(one.label()), one.event, one.verdict, str(one.steps or "")) for one in explored[0]]
    assert sorted(said) == sorted(cells)


@pytest.mark.parametrize("kind", ["registers", "measured"])
def test_the_csv_of_a_table_of_words_is_the_table(opened, views, kind):
    _, text = saved(opened(kind), "CSV")
    head, *lines = csv.reader(io.StringIO(text.decode()))
    data = views[kind].data
    assert head == [data["corner"], *data["columns"]]
    assert lines == [[row["name"], *(cell["word"] if cell else "" for cell in row["cells"])] for row in data["rows"]]


def test_the_csv_of_a_trace_has_every_step(opened, views):
    assert [row["what"] for row in rows_of(opened("trace"))] == [step["text"] for step in views["trace"].data["steps"]]


@pytest.mark.parametrize("kind", ["trace", "operation", "compare", "registers", "measured"])
def test_the_copied_command_and_the_copied_python_run(opened, kind, tmp_path, monkeypatch, capsys):
    view = opened(kind, permissions=CLIPBOARD)
    monkeypatch.chdir(tmp_path)
    command = shlex.split(copied(view, "command line"))
    assert command[0] == "workbench"
    assert main(command[1:]) == 0
    exec(copied(view, "Python"), {})
    json.loads(copied(view, "JSON"))
    assert copied(view, "mail text").isascii()
    assert copied(view, "link to this").startswith("file://")


def test_the_copied_python_of_a_map_gives_the_same_map(opened, views):
    view = opened("matrix", permissions=CLIPBOARD)
    *lines, last = copied(view, "Python").strip().splitlines()
    names = {}
    exec("\n".join(lines), names)
    assert eval(last, names) == views["matrix"]


def test_a_trace_opened_in_a_map_can_be_taken_away_as_well(opened):
    view = opened("matrix", permissions=CLIPBOARD)
    view.locator('button[aria-label^="migrate, lost registration:"]').click()
    inside = view.locator(".pvw-opened")
    inside.get_by_text("Copy or save").click()
    said = {}
    for what in ("mail text", "command line", "Python", "JSON", "link to this"):
        inside.get_by_role("button", name=f"copy {what}").click()
        inside.get_by_text(f"copied {what}").wait_for()
        said[what] = view.evaluate("navigator.clipboard.readText()")
    assert said["mail text"].startswith("lost registration: generic under migrate")
    assert max(map(len, said["mail text"].splitlines())) <= 72
    assert "--property lost-registration" in said["command line"]
    assert json.loads(said["JSON"])["property"] == "lost-registration"
    assert "event=migrate" in said["link to this"]
    with view.expect_download() as waiting:
        inside.get_by_role("button", name="save SVG").click()
    assert waiting.value.suggested_filename == "generic-migrate-lost-registration.svg"


@pytest.mark.parametrize(
    ("kind", "fragment", "said"),
    [
        ("trace", "#step=5", ".pvw-count"),
        ("pair", "#step=2&other=3", ".pvw-count"),
        ("registers", "#only=yes", "tbody"),
        ("measured", "#only=yes", "tbody"),
        ("compare", "#event=migrate&vcpus=12&features=steal_time&metric=fate", ".pvw-spoken"),
    ],
)
def test_the_copied_link_shows_the_same_and_reset_shows_what_was_there_first(open_page, views, kind, fragment, said):
    first = open_page(page(kind, [views[kind]]))
    before = first.locator(said).all_inner_texts()
    view = open_page(page(kind, [views[kind]]), fragment, permissions=CLIPBOARD)
    view.get_by_text("Copy or save").first.click()
    shown = view.locator(said).all_inner_texts()
    assert shown != before
    again = open_page(page(kind, [views[kind]]), f"#{copied(view, 'link to this').partition('#')[2]}")
    assert again.locator(said).all_inner_texts() == shown
    for button in again.get_by_role("button", name="Reset").all():
        button.click()
    assert again.locator(said).all_inner_texts() == before


def test_the_address_follows_the_steps(open_page, views):
    view = open_page(page("trace", [views["trace"]]))
    view.locator(".pvw-list").focus()
    for _ in range(3):
        view.keyboard.press("ArrowRight")
    view.wait_for_url("**#step=3")
