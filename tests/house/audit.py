"""Asks for known vulnerabilities of the pinned versions: ``python -m tests.house.audit`` (``make audit``).

pip-audit asks the package index, or another database, as with ``--vulnerability-service osv``: arguments are its own.
Exit status: 0 if none is known, 1 if one is, 2 if the database could not be asked, so that nothing is known.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.house.lock import LOCK

_COMMAND = ["-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip", "--progress-spinner", "off"]


def report(stdout: str, stderr: str) -> tuple[int, str]:
    """Return the exit status and the text for what pip-audit printed with ``--format json``."""
    try:
        found = json.loads(stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        why = (stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return 2, f"audit: NOT DONE, nothing is known of these versions: {why}"
    skipped = [f"{one['name']}: {one['skip_reason']}" for one in found if "skip_reason" in one]
    known = [_line(one, fault) for one in found for fault in one.get("vulns", ())]
    if len(skipped) == len(found):
        first = skipped[0] if skipped else "no package was named"
        return 2, f"audit: NOT DONE, the database told nothing of all {len(found)}: {first}"
    if skipped:
        return 2, "\n".join(["audit: NOT DONE for some:", *skipped, *known])
    if known:
        return 1, "\n".join([f"audit: {len(known)} known in {len(found)} packages; make lock takes newer:", *known])
    return 0, f"audit: none known in {len(found)} packages"


def _line(package: dict[str, Any], fault: dict[str, Any]) -> str:
    fixed = ", ".join(fault["fix_versions"]) or "no release yet"
    return f"{package['name']} {package['version']}: {fault['id']}, fixed in {fixed}"


def main(more: Sequence[str]) -> int:
    """Run pip-audit on constraints.txt, and print what it found."""
    found = subprocess.run(
        [sys.executable, *_COMMAND, "--format", "json", *more], capture_output=True, text=True, check=False, timeout=600
    )
    status, text = report(found.stdout, found.stderr)
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
