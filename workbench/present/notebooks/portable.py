"""Executed notebooks without anything that differs from run to run or needs a kernel or a network to be read.

A widget's saved output keeps its text and picture and loses the reference to its model, which ends with the kernel;
execution times, widget states and kernel details are removed; cells are numbered in the order in which they ran.
"""

import asyncio
import atexit
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from workbench.durable.guard import environment, guarded_folder

TIMEOUT = 600  # seconds for one cell: a guard against hanging
#: Metadata of a cell that are written by hand: tags, and what exercises and nbgrader say of their cells.
KEPT = ("tags", "workbench", "nbgrader")
WIDGET = "application/vnd.jupyter.widget-"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def execute(notebook: Any, folder: Path) -> None:
    """Run every cell of ``notebook`` in ``folder``; raise nbclient's CellExecutionError where one fails.

    The kernel and its files go when this returns, when the user stops it, and when this process is killed.
    """
    with closing(execute_all([(notebook, folder)], 1)) as running:
        next(running)()


def execute_all(notebooks: Sequence[tuple[Any, Path]], jobs: int) -> Generator[Callable[[], None], None, None]:
    """Run notebooks as :func:`execute` does, ``jobs`` at a time; yield for each, in order, what waits for its end.

    That raises CellExecutionError where a cell fails. What still runs is ended when the generator is closed.
    """
    # In threads of their own nbclient leaves the handlers of signals alone. They end when their kernels are gone.
    with ThreadPoolExecutor(jobs) as threads, guarded_folder() as private:
        try:
            running = [
                threads.submit(_execute, notebook, folder, private / str(number))
                for number, (notebook, folder) in enumerate(notebooks)
            ]
            for one in running:
                yield one.result
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _execute(notebook: Any, folder: Path, private: Path) -> None:
    from nbclient import NotebookClient
    from traitlets.config import Config

    private.mkdir()
    # The kernel listens on 127.0.0.1 only; "auto" avoids ipykernel's warning at every start.
    kernel = {"transport_encryption": "auto", "connection_file": str(private / "kernel.json")}
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        resources={"metadata": {"path": str(folder)}},
        config=Config({"KernelManager": kernel}),
        record_timing=False,
    )
    try:
        asyncio.run(client.async_execute(env=_environment(private)))
    finally:  # where the kernel was killed, nbclient would look for it when this process ends
        atexit.unregister(client._cleanup_kernel)


def _environment(private: Path) -> dict[str, str]:
    """Return this process's environment, extended so that the kernel imports the same workbench, installed or not."""
    package = str(Path(__file__).resolve().parents[3])
    others = os.environ.get("PYTHONPATH")
    return {**environment(private), "PYTHONPATH": os.pathsep.join([package, others] if others else [package])}


def normalise(notebook: Any) -> Any:
    """Remove everything from ``notebook`` that another run would write differently; return ``notebook``."""
    notebook.metadata = type(notebook.metadata)(kernelspec=dict(KERNEL), language_info={"name": "python"})
    number = 0
    for cell in notebook.cells:
        cell.metadata = type(cell.metadata)({key: cell.metadata[key] for key in KEPT if key in cell.metadata})
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
            cell.outputs = _joined([_plain(output, number) for output in cell.outputs])
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """Join adjacent pieces of the same stream, because where the kernel flushes differs from run to run."""
    joined: list[Any] = []
    for output in outputs:
        is_stream = output.output_type == "stream"
        if is_stream and joined and joined[-1].output_type == "stream" and joined[-1].name == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _plain(output: Any, number: int) -> Any:
    if "data" in output:
        for kind in [kind for kind in output.data if kind.startswith(WIDGET)]:
            del output.data[kind]
    if output.output_type == "execute_result":
        output.execution_count = number
    return output
