"""Every notebook runs, reproduces its committed outputs, and is readable without a kernel."""

import ast
import json
import re
import statistics
from resource import RUSAGE_CHILDREN, getrusage

import nbformat
import pytest

from tests.notebooks.refresh import FOLDER, drawn_anew, fresh, notebooks

PATHS = [pytest.param(path, id=path.stem) for path in notebooks()]
LONGEST_CELL, WIDEST_LINE, MOST_IMPORTS, MOST_SECONDS = 12, 110, 5, 60
#: Tag of a cell whose output depends on the machine; its claims must hold, its text may differ.
MACHINE = "machine"
TEXTS = ("text/plain", "text/html", "image/svg+xml")


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def said(cell):
    """Return what a cell shows: its exact texts, and for each picture only that it is present."""
    found = []
    for output in cell.outputs:
        if output.output_type == "stream":
            found.append((output.name, output.text))
            continue
        data = output.get("data", {})
        found.append({kind: data[kind] if kind in TEXTS else "(there)" for kind in sorted(data)})
    return found


def printed(notebook):
    return "".join(output.get("text", "") for cell in code(notebook) for output in cell.outputs)


LONG = {"06b-repairs", "08-verdict"}
#: The notebooks that take as long as several others are run by the slow tests.
RUN = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in LONG else []) for path in notebooks()
]


@pytest.mark.parametrize("path", RUN)
def test_a_run_says_what_is_committed_within_a_minute(path):
    """A minute of one processor, which a loaded machine gives more slowly; the kernel is a child of this process."""
    before = getrusage(RUSAGE_CHILDREN)
    committed, now = read(path), fresh(path)
    after = getrusage(RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MOST_SECONDS
    assert not [line for line in printed(now).splitlines() if line.startswith("FAIL")]
    for before, after in zip(committed.cells, now.cells, strict=True):
        if before.cell_type == "code" and MACHINE not in before.metadata.get("tags", ()):
            assert said(after) == said(before), f"{before.source}\nmeant? python -m tests.notebooks.refresh {path.stem}"


@pytest.mark.parametrize("path", PATHS)
def test_saved_views_are_drawn_by_the_present_scripts(path):
    for cell in code(read(path)):
        for output in cell.outputs:
            html = output.get("data", {}).get("text/html", "")
            assert drawn_anew(html) == html, "meant? python -m tests.notebooks.refresh --views"


@pytest.mark.parametrize("path", PATHS)
def test_every_claim_holds(path):
    lines = printed(read(path)).splitlines()
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert [line for line in lines if line.startswith("PASS")], "a notebook makes claims, so that it is a test"


@pytest.mark.parametrize("path", PATHS)
def test_the_title_is_a_question_and_the_end_a_doubt(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.fullmatch(r"# .+\?", first.source.splitlines()[0])
    assert any("## What we doubt" in cell.source for cell in read(path).cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", PATHS)
def test_the_first_cell_only_imports(path):
    cell = code(read(path))[0]
    body = ast.parse(cell.source).body
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
    assert len(body) <= MOST_IMPORTS


@pytest.mark.parametrize("path", PATHS)
def test_cells_are_short(path):
    cells = code(read(path))
    lengths = [len(cell.source.splitlines()) for cell in cells]
    assert max(lengths) <= LONGEST_CELL
    assert statistics.median(lengths) <= 5
    assert max(len(line) for cell in cells for line in cell.source.splitlines()) <= WIDEST_LINE


@pytest.mark.parametrize("path", PATHS)
def test_functions_are_defined_in_protocols_only(path):
    for cell in code(read(path)):
        assert "sys.path" not in cell.source
        for node in ast.parse(cell.source).body:
            assert not isinstance(node, ast.FunctionDef), cell.source
            assert not isinstance(node, ast.ClassDef) or node.bases, cell.source


@pytest.mark.parametrize("path", PATHS)
def test_it_can_be_read_without_a_kernel(path):
    """No error, no widget without its model, no empty output, and a picture's numbers are near it as text."""
    for cell in code(read(path)):
        for output in cell.outputs:
            assert output.output_type in ("stream", "execute_result", "display_data"), cell.source
            shown = output.get("text") or output.get("data")
            assert shown, cell.source
            assert not any("widget" in kind for kind in output.get("data", {}))
    assert "widgets" not in read(path).metadata


@pytest.mark.parametrize("path", PATHS)
def test_a_saved_panel_shows_its_result_as_text(path):
    for cell in code(read(path)):
        if re.search(r"^(panel|\w+Panel\()", cell.source, re.MULTILINE):
            assert all(len(output.data["text/plain"].splitlines()) > 3 for output in cell.outputs)
            assert cell.outputs


@pytest.mark.parametrize("path", PATHS)
def test_nothing_in_it_differs_from_run_to_run(path):
    raw = path.read_text(encoding="utf-8")
    assert not re.search(r"object at 0x[0-9a-f]{6}|iopub|IPY_MODEL|model_id", raw)
    document = json.loads(raw)
    numbers = [cell["execution_count"] for cell in document["cells"] if cell["cell_type"] == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"])
    assert set(document["metadata"]) == {"kernelspec", "language_info"}


def test_the_map_in_the_first_one_names_them_all():
    start = read(FOLDER / "00-start.ipynb")
    prose = "".join(cell.source for cell in start.cells if cell.cell_type == "markdown")
    linked = set(re.findall(r"\]\(([\w.-]+\.ipynb)\)", prose))
    assert {path.name for path in notebooks()} - {"00-start.ipynb"} == linked
