"""Notebooks, executed and written as HTML. Each runs in its own folder's place, the file itself is not changed."""

from collections.abc import Callable
from pathlib import Path

from workbench.core.errors import WorkbenchError

TIMEOUT = 600  # seconds for one cell: a guard against hanging


def as_html(path: Path) -> str:
    """Execute the notebook at ``path`` and return it as HTML; raise WorkbenchError with the cell that fails."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute()
    except CellExecutionError as error:
        reason = f"{error.ename}: {' '.join(str(error.evalue).split())}"
        raise WorkbenchError(f"notebook {path.name} fails: {reason}") from error
    exporter = HTMLExporter()
    exporter.embed_images = True
    body, _ = exporter.from_notebook_node(notebook)
    return str(body)


def write_all(folder: Path, target: Path, progress: Callable[[str], None]) -> list[Path]:
    """Write every notebook of ``folder`` as HTML into ``target``; return the files, none if there is no folder."""
    written = []
    for path in sorted(folder.glob("*.ipynb")):
        progress(f"notebook {path.name}")
        file = target / f"{path.stem}.html"
        file.write_text(as_html(path), encoding="utf-8")
        written.append(file)
    return written
