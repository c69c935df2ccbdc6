"""The machine and the versions on which the numbers of a benchmark depend."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def where(*libraries: str) -> dict[str, Any]:
    """Return processor, load, system, Python and the versions of ``libraries``, which must be installed."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }
