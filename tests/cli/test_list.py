"""``workbench list``: the known protocols, features, events, properties, metrics and cost models."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.checking.failures import FAILURES
from workbench.cli import main
from workbench.features import SHIPPED
from workbench.lifecycle import EVENTS
from workbench.measure import METRICS
from workbench.measure.comparison import cost
from workbench.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "protocol": list(PROTOCOLS),
    "feature": list(SHIPPED),
    "event": list(EVENTS),
    "property": [failure.name for failure in FAILURES.values()],
    "metric": [*METRICS, "cost_cycles"],
    "cost model": list(cost.known()),
}


def test_everything_is_listed(capsys):
    assert main(["list", "--format", "json"]) == 0
    found = {}
    for record in json.loads(capsys.readouterr().out):
        found.setdefault(record["kind"], []).append(record["name"])
    assert found == NAMES


def test_clauses_are_counted(capsys):
    third = Path(__file__).with_name("third_protocol.py")
    assert main(["list", "--format", "json", "--protocols", f"null,{third}:Packed"]) == 0
    clauses = {
        r["name"]: r["clauses"] for r in json.loads(capsys.readouterr().out) if r["kind"] == "protocol"
    }
    assert clauses == {"null": 2, "packed": 2}


@pytest.mark.parametrize("form", ["text", "csv", "markdown"])
def test_every_format_names_all(capsys, form):
    assert main(["list", "--format", form]) == 0
    text = capsys.readouterr().out
    assert all(name in text for names in NAMES.values() for name in names)
    if form == "text":
        assert all(len(line) <= 72 for line in text.splitlines())


def test_a_list_needs_no_drawing():
    program = (
        "import sys; from workbench.cli import main; main(['list']);"
        "print(sorted({'matplotlib', 'pandas', 'numpy', 'nbconvert'} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stderr == "[]\n"


def test_the_module_is_the_command():
    run = subprocess.run(
        [sys.executable, "-m", "workbench", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("workbench ")


def test_clauses_of_every_letter_are_counted(tmp_path, capsys):
    text = (ROOT / "tests/cli/third_protocol.py").read_text()
    other = text.replace("\nR1 ", "\nC1 ").replace("\nR2 ", "\nP2a. MSR 3 is\nA 4 is none, nor is P3\n")
    (tmp_path / "mine.py").write_text(other)
    assert main(["list", "--protocols", f"{tmp_path}/mine.py", "--format", "json"]) == 0
    (record,) = [row for row in json.loads(capsys.readouterr().out) if row["kind"] == "protocol"]
    assert record["clauses"] == 2
