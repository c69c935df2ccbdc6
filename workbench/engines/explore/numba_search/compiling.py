"""Compiles loops with numba and caches them on disk until one of their source files changes.

numba itself recompiles a function only when the function's own file changes. A compiled loop also contains the
functions it calls from other files, so the name of the cache directory is a hash of all these files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

SOURCES = ("atoms.py", "bits.py", "state_set.py", "lookups.py", "loops.py", "compiling.py")
SETTINGS: Any = numba.config  # numba defines its settings from the environment, unknown to type checkers


def cache_directory(sources: Path) -> Path:
    """The cache directory for loops compiled from `sources`: next to them, or where the user may write."""
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
    """A decorator that compiles a function with numba, with the given options of numba."""

    def decorated(function: Callable[..., Any]) -> Any:
        usual, SETTINGS.CACHE_DIR = SETTINGS.CACHE_DIR, DIRECTORY
        try:
            return numba.njit(cache=True, **options)(function)
        finally:
            SETTINGS.CACHE_DIR = usual

    return decorated
