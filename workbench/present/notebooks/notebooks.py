"""Notebooks, executed and written as HTML. Each runs in the folder of its file; the file is not changed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.durable.store import NONE, Store
from workbench.engines.kvm.engine import this_host
from workbench.errors import WorkbenchError
from workbench.present.notebooks import portable

#: nbconvert's page without the scripts that it loads from the network, so that a report can be read offline.
OFFLINE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""


def as_html(path: Path) -> str:
    """Execute the notebook at ``path`` and return it as HTML; raise WorkbenchError with the cell that fails."""
    import nbformat
    from jinja2 import DictLoader
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    try:
        portable.execute(notebook, path.parent)
    except CellExecutionError as error:
        reason = f"{error.ename}: {' '.join(str(error.evalue).split())}"
        raise WorkbenchError(f"notebook {path.name} fails: {reason}") from error
    notebook = portable.normalise(notebook)
    notebook.metadata["title"] = _title(notebook, path.stem)
    exporter = HTMLExporter(extra_loaders=[DictLoader({"offline.html.j2": OFFLINE})], template_file="offline.html.j2")
    exporter.embed_images = True
    body, _ = exporter.from_notebook_node(notebook)
    return _LINK.sub(r'href="\1.html"', str(body))


_LINK = re.compile(r'href="([\w-]+)\.ipynb"')


def _title(notebook: Any, otherwise: str) -> str:
    """Return the notebook's first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return str(cell.source.splitlines()[0].removeprefix("# "))
    return otherwise


def write_all(folder: Path, target: Path, progress: Callable[[str], None], store: Store = NONE) -> list[Path]:
    """Write every notebook of ``folder`` as HTML into ``target``; return the files, none if there is no folder.

    ``store`` keeps the pages.
    """
    paths, written = sorted(folder.glob("*.ipynb")), []

    def work(number: int) -> str:
        progress(f"notebook {paths[number].name}")
        return as_html(paths[number])

    keys = [[path.name, path.read_text(encoding="utf-8"), this_host().line] for path in paths]
    for path, page in zip(paths, store.batch("notebooks", keys).each(work), strict=True):
        file = target / f"{path.stem}.html"
        file.write_text(page, encoding="utf-8")
        written.append(file)
    return written
