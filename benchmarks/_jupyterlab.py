"""A JupyterLab of its own for a benchmark or a test: nothing of the user's configuration is read or written."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]


def write_notebook(file: Path, sources: Sequence[str]) -> None:
    """Write a notebook with these code cells."""
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in sources])
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(document, file)


@contextlib.contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Serve the notebooks of ``folder``; yield the address, with places for a workspace's and a notebook's name."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}", "--ServerApp.token=views", f"--ServerApp.root_dir={folder}",
            "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env={**os.environ, **own, "IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(300):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=views", timeout=5)
                break
            assert server.poll() is None, "JupyterLab ended"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/workspaces/{{}}/tree/{{}}?token=views"
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # a server that is asked to end waits for its kernels
        server.wait(20)


def run_all(page: Any) -> None:
    """Run all cells of the notebook that a page shows, and see that they begin.

    Until a kernel is connected JupyterLab forgets what it is asked to run, without a word, and the notebook's own mark
    says "idle" from the start; the status bar tells the truth.
    """
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
    page.locator(".jp-Cell").first.click()
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(".jp-InputPrompt").filter(has_text=re.compile(r"\[[*\d]+\]")).first.wait_for(timeout=20_000)
