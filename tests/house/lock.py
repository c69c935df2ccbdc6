"""Pins the versions that are tested: ``python -m tests.house.lock`` writes constraints.txt (``make lock``).

Resolves, from scratch and with the newest releases that fit, everything that pyproject.toml asks for: dependencies, all
extras, what the build needs, and pip itself. Nothing is installed. The oldest Python that is supported is used, because
a release that has dropped it would be chosen otherwise.
"""

import json
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "constraints.txt"
_HEADER = """\
# The versions that are tested, for `pip install --constraint constraints.txt ...`; `make` installs these.
# Written by `make lock` with Python {python} and pip {pip}. Do not edit; docs/dependencies.md says when to renew it.
"""


def asked(project: dict[str, Any]) -> list[str]:
    """Return all that the content of a pyproject.toml asks for, as requirements; and pip, which installs them."""
    table = project["project"]
    extras = [line for lines in table["optional-dependencies"].values() for line in lines]
    return [*table["dependencies"], *extras, *project["build-system"]["requires"], "pip"]


def oldest_python(project: dict[str, Any]) -> str:
    """Return the oldest Python version that the content of a pyproject.toml allows, such as ``3.11``."""
    found = re.fullmatch(r">=(\d+\.\d+)", project["project"]["requires-python"])
    assert found, "requires-python is not of the form >=X.Y"
    return found[1]


def resolve(requirements: list[str]) -> dict[str, Any]:
    """Return pip's report on what it would install into an empty environment."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    found = subprocess.run([*command, *requirements], stdout=subprocess.PIPE, check=False)
    if found.returncode:
        sys.exit("lock: pip could not resolve the versions, see above; constraints.txt is unchanged")
    report: dict[str, Any] = json.loads(found.stdout)
    return report


def as_text(report: dict[str, Any]) -> str:
    """Return the constraints file for a report of pip."""
    pinned = sorted(
        f"{re.sub(r'[-_.]+', '-', one['metadata']['name']).lower()}=={one['metadata']['version']}"
        for one in report["install"]
    )
    header = _HEADER.format(python=platform.python_version(), pip=report["pip_version"])
    return header + "".join(f"{line}\n" for line in pinned)


def main() -> None:
    """Write constraints.txt anew."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = oldest_python(project)
    if platform.python_version_tuple()[:2] != tuple(oldest.split(".")):
        here = platform.python_version()
        sys.exit(f"lock: this is Python {here}; the lock is made with the oldest that is supported, {oldest}")
    LOCK.write_text(as_text(resolve(asked(project))), encoding="utf-8")
    print(f"written: {LOCK.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
