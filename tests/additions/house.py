"""A copy of the package with one file added, as in ARCHITECTURE ("How to add something"), and no other change."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = Path(__file__).resolve().parent
#: The data are linked, not copied; caches are skipped, because other processes may delete them meanwhile.
PASSING = shutil.ignore_patterns("data", "*.pyc.*", "*.nb*")


class House:
    """A copy of the package in its own folder; its programs run in their own processes."""

    def __init__(self, top):
        self.top = top
        shutil.copytree(ROOT / "workbench", top / "workbench", ignore=PASSING)
        (top / "workbench" / "data").symlink_to(ROOT / "data")
        assert self.python("import workbench; print(workbench.__file__)").startswith(str(top))

    def add(self, file, folder):
        """Put one file into a folder of the package."""
        shutil.copy(file if Path(file).is_absolute() else FILES / file, self.top / "workbench" / folder)

    def python(self, program):
        """Run a Python program that imports the copy; return what it prints."""
        return self._run("-c", program)

    def workbench(self, *arguments):
        """Run a command of the copy; return what it prints."""
        return self._run("-m", "workbench", *arguments)

    def records(self, *arguments):
        """Run a command of the copy that writes JSON."""
        return json.loads(self.workbench(*arguments, "--format", "json"))

    def names(self, kind):
        """Return the names that ``workbench list`` prints for one kind of thing, in its order."""
        return [record["name"] for record in self.records("list") if record["kind"] == kind]

    def values(self, metric, *arguments):
        """Return {protocol: value} of a metric of ``workbench compare``."""
        rows = self.records("compare", *arguments)
        return {row["protocol"]: row["value"] for row in rows if row["metric"] == metric}

    def verdicts(self, *arguments):
        """Return {(protocol, property): verdict} of ``workbench matrix``."""
        return {(c["protocol"], c["property"]): c["verdict"] for c in self.records("matrix", *arguments, "--jobs", "1")}

    def _run(self, *arguments):
        # The copy comes first on the path, then the checkout, for the tests' own helpers.
        environment = {**os.environ, "PYTHONPATH": f"{self.top}{os.pathsep}{ROOT}"}
        run = subprocess.run(
            [sys.executable, *arguments], cwd=self.top, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout
