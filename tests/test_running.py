"""The closing summary is the same for any number of test processes, and .ci/run finds its closing line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CLOSING = re.search(r"grep -aE '(.+?)'", (ROOT / ".ci" / "run").read_text())[1]
ALONE = ("-p", "no:xdist")
SHARED = ("-n", "2", "--dist", "worksteal")


def last_words(*options):
    """Return pytest's summary of tests of which most need SPIN, run without SPIN."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/explore/test_crosscheck.py"],
        cwd=ROOT, env={**environment, "PATH": "/nonexistent"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()


@pytest.mark.parametrize("where", [ALONE, pytest.param(SHARED, marks=pytest.mark.slow)], ids=" ".join)
def test_what_was_not_checked_is_said(where):
    said = last_words(*where, "-m", "spin")
    note = r"^NOTE: all (\d+) spin tests were skipped, nothing of it was tested$"
    (count,) = re.findall(note, "\n".join(said), re.MULTILINE)
    assert re.search(CLOSING, said[-1])
    assert re.search(rf"\b{count} skipped, [1-9]\d* deselected in ", said[-1])


@pytest.mark.parametrize("count", ["1234 passed", "1 failed, 3 passed, 2 skipped", "3 passed, 13 deselected"])
@pytest.mark.parametrize("line", ["{} in 0.51s", "{} in 200.00s (0:03:20)", "==== {} in 93.25s (0:01:33) ===="])
def test_the_closing_line_is_found(count, line):
    assert re.search(CLOSING, line.format(count))
