"""Notebooks, executed and written as HTML. Each runs in the folder of its file; the file is not changed."""

import json
import os
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
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
    (page,) = _pages([path], 1)
    return page


def _pages(paths: Sequence[Path], jobs: int) -> Generator[str, None, None]:
    """Execute notebooks, ``jobs`` at a time, and yield each as HTML, in order."""
    import nbformat
    from nbclient.exceptions import CellExecutionError

    found = [nbformat.read(path, as_version=4) for path in paths]
    folders = [path.parent for path in paths]
    with closing(portable.execute_all(list(zip(found, folders, strict=True)), jobs)) as running:
        for notebook, path, wait in zip(found, paths, running, strict=True):
            try:
                wait()
            except CellExecutionError as error:
                reason = f"{error.ename}: {' '.join(str(error.evalue).split())}"
                raise WorkbenchError(f"notebook {path.name} fails: {reason}") from error
            yield _html(notebook, path)


def _html(notebook: Any, path: Path) -> str:
    """Return an executed notebook as HTML, with links to the pages of the others."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    notebook = portable.normalise(notebook)
    notebook.metadata["title"] = title_of(path)
    exporter = HTMLExporter(extra_loaders=[DictLoader({"offline.html.j2": OFFLINE})], template_file="offline.html.j2")
    exporter.embed_images = True
    body, _ = exporter.from_notebook_node(notebook)
    return _LINK.sub(r'href="\1.html"', str(body))


def without_code(path: Path) -> tuple[str, str]:
    """Return the title of the notebook at ``path`` and, as the inside of a page, its texts and outputs as saved."""
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True,
        exclude_anchor_links=True,
    )  # fmt: skip
    exporter.embed_images = True
    body, _ = exporter.from_notebook_node(notebook)
    return title_of(path), _LINK.sub(r'href="\1"', str(body))


_LINK = re.compile(r'href="([\w-]+)\.ipynb"')


def title_of(path: Path) -> str:
    """Return the first heading of the notebook at ``path``."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and text.startswith("# "):
            return text.splitlines()[0].removeprefix("# ")
    return path.stem


def write_all(folder: Path, target: Path, progress: Callable[[int, int], None], store: Store = NONE) -> dict[str, str]:
    """Write every notebook of ``folder`` as HTML into ``target``; return the title of each file that was written.

    As many run at a time as there are CPUs. ``progress``: (done, of how many). ``store`` keeps the pages.
    """
    paths, titles = sorted(folder.glob("*.ipynb")), {}
    keys = [[path.name, path.read_text(encoding="utf-8"), this_host().line] for path in paths]
    batch = store.batch("notebooks", keys)
    missing = [path for number, path in enumerate(paths) if number not in batch.kept]
    with closing(_pages(missing, len(os.sched_getaffinity(0)))) as made:
        for number, page in enumerate(batch.each(lambda _: next(made))):
            name = f"{paths[number].stem}.html"
            (target / name).write_text(page, encoding="utf-8")
            titles[name] = title_of(paths[number])
            progress(number + 1, len(paths))
    return titles
