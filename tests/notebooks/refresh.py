"""Execute every notebook and write it back with its outputs, the same bytes each time.

    python -m tests.notebooks.refresh            # all
    python -m tests.notebooks.refresh 02 04      # those whose names begin with 02 or 04
    python -m tests.notebooks.refresh --views    # run nothing: only draw the saved views by the present scripts
"""

import json
import re
import sys
from html import unescape
from pathlib import Path

import nbformat

from workbench.present.notebooks.portable import execute, normalise
from workbench.present.web import View

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def notebooks(*beginnings):
    """Return the notebooks, or those whose names begin with one of ``beginnings``."""
    return [path for path in sorted(FOLDER.glob("*.ipynb")) if path.name.startswith(beginnings or ("",))]


def fresh(path):
    """Return the notebook at ``path`` after a run, without anything from an earlier run."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    execute(notebook, path.parent)
    return normalise(notebook)


VIEW = re.compile(
    r'<div class="pvw" data-pvw="(?P<kind>\w+)">.*?'
    r'<script type="application/json" class="pvw-data">(?P<data>.*?)</script>'
    r'<pre class="pvw-text">(?P<text>.*?)</pre>',
    re.DOTALL,
)


def drawn_anew(html):
    """Return the HTML of a saved view with the present style and script; other HTML as it is."""
    found = VIEW.match(html)
    if found is None:
        return html
    return View(found["kind"], json.loads(found["data"]), unescape(found["text"]))._repr_html_()


def renew(path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = drawn_anew(output.data["text/html"])
    nbformat.write(notebook, path)


def main(*beginnings):
    if beginnings == ("--views",):
        for path in (*notebooks(), *sorted(FOLDER.glob("solutions/*.ipynb"))):
            renew(path)
        return
    for path in notebooks(*beginnings):
        nbformat.write(fresh(path), path)
        print(path.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
