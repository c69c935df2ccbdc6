"""Execute every notebook and write it back with its outputs, the same bytes each time.

    python -m tests.notebooks.refresh            # all
    python -m tests.notebooks.refresh 02 04      # those whose names begin with 02 or 04
"""

import sys
from pathlib import Path

import nbformat

from workbench.present.notebooks.portable import execute, normalise

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


def main(*beginnings):
    for path in notebooks(*beginnings):
        nbformat.write(fresh(path), path)
        print(path.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
