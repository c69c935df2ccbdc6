"""How loops are compiled: once, and kept on disk for as long as none of the files they are made of changes.

numba keeps what it has compiled until the file of the function changes; but a loop contains what it calls from
other files, and would go on with their former text. The cache's directory is therefore named by the text of all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

SOURCES = ("bits.py", "state_set.py", "loops.py", "compiling.py")
SETTINGS: Any = numba.config  # which settings there are depends on the environment: no type checker knows


def cache_directory(sources: Path) -> Path:
    """Where to keep loops made of the files in `sources`: next to them, or where the user may write."""
    text = b"".join((sources / name).read_bytes() for name in SOURCES)
    if SETTINGS.CACHE_DIR:
        base = Path(SETTINGS.CACHE_DIR)
    elif os.access(sources, os.W_OK):
        base = sources / "__pycache__"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench-loops"
    return base / f"loops-{hashlib.sha256(text).hexdigest()[:16]}"


DIRECTORY = str(cache_directory(Path(__file__).parent))


def loop(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function that numba shall compile, with numba's options."""

    def decorated(function: Callable[..., Any]) -> Any:
        usual, SETTINGS.CACHE_DIR = SETTINGS.CACHE_DIR, DIRECTORY
        try:
            return numba.njit(cache=True, **options)(function)
        finally:
            SETTINGS.CACHE_DIR = usual

    return decorated
