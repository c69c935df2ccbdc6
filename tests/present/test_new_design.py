"""``workbench new``: what it writes passes ``check`` unedited, its notebook runs, and nothing is overwritten."""

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from workbench.cli import main
from workbench.core.contracts import Protocol
from workbench.core.rules.returned import RETURNS
from workbench.measure.design_check import PASS, check
from workbench.present.new_design.create import STYLES, create
from workbench.present.notebooks.portable import execute
from workbench.protocols import find

ROOT = Path(__file__).resolve().parents[2]


def statuses(report):
    return {line.what: line.status for line in report.lines}


@pytest.mark.parametrize(
    ("style", "feature"),
    [pytest.param(style, feature, marks=[pytest.mark.slow] if feature and style != next(iter(STYLES)) else [])
     for style in STYLES for feature in (False, True)],
)  # fmt: skip
def test_a_new_design_passes_every_check_unedited(tmp_path, style, feature):
    program, _ = create(f"my_{style}", style, tmp_path, feature=feature)
    found = statuses(check(str(program)))
    found.pop("real KVM")  # there may be none here
    assert set(found.values()) == {PASS}, found


@pytest.mark.parametrize("style", STYLES)
def test_the_file_says_of_every_method_who_calls_it_and_cites_every_clause(tmp_path, style):
    program, _ = create("mine", style, tmp_path)
    kind = find(str(program))
    methods = [value for value in vars(kind).values() if inspect.isfunction(value)]
    assert {"register", "unregister", "revoke_all", "on_init", "save", "restore", "state"} <= set(vars(kind))
    assert all(inspect.getdoc(method) for method in methods if method.__name__ in RETURNS)
    text = program.read_text()
    opening = ast.get_docstring(ast.parse(text))
    clauses = {word for word in opening.split() if word[0] == "R" and word[1:].isdigit()}
    body = text.partition('"""\n\n')[2]
    assert clauses == {f"R{number}" for number in range(1, 7)}
    assert [clause for clause in sorted(clauses) if clause not in body and clause not in "R6"] == []
    assert list(kind.mitigations_known) == ["revoke-all"]
    assert issubclass(kind, Protocol)


def test_ruff_has_nothing_to_say(tmp_path):
    for style in STYLES:
        create(f"my_{style}", style, tmp_path, feature=style == "msr")
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    run = subprocess.run([*ruff, "--select", "E,W,F,I", str(tmp_path)], capture_output=True, text=True, check=False)
    if "No module named" in run.stderr:
        pytest.skip("ruff is not installed")
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("style", "feature"), [("msr", True), pytest.param("descriptor", False, marks=pytest.mark.slow)]
)
def test_the_notebook_runs_and_shows_tables_matrix_and_trace(tmp_path, monkeypatch, style, feature):
    _, path = create("mine", style, tmp_path, feature=feature)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    execute(notebook, tmp_path)
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    for piece in ("0 failed", "kexec-no-teardown", "revoke-all", "FAILS"):
        assert piece in said, piece
    assert said.count("PASS  ") >= 4
    assert "FAIL  " not in said
    first, *_, last = (cell.source for cell in notebook.cells)
    assert first.startswith("# What does mine do, and where does it fail?\n")
    assert re.fullmatch(r"## Answer\n\n(\* .+(\n  .+)*\n?){3}", last)
    assert not [cell for cell in notebook.cells if any(o.output_type == "error" for o in cell.get("outputs", ()))]


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.ipynb").write_text("{}")
    assert main(["new", "mine"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "'mine.ipynb' is there already, and nothing is overwritten" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.ipynb"]
    assert (tmp_path / "mine.ipynb").read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["My Call"], "'My Call' is no name for a design"),
        (["../mine"], "'../mine' is no name for a design"),
        (["class"], "'class' is no name for a design"),
        (["generic"], "'generic' is the name of one that ships"),
        (["steal_time"], "'steal_time' is the name of one that ships"),
        (["mine", "--style", "ioctl"], "unknown value 'ioctl'; known: msr, descriptor"),
        (["mine", "--folder", "nowhere"], "folder 'nowhere' does not exist"),
        ([], "the following arguments are required: NAME"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert main(["new", *arguments]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert told in said.err
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_was_written_and_what_comes_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "my_call", "--style", "hypercall"]) == 0
    assert capsys.readouterr().out == "wrote my_call.py and my_call.ipynb\nnext: workbench check my_call.py\n"
    assert json.loads((tmp_path / "my_call.ipynb").read_text())["nbformat"] == 4
    assert "class MyCall(Protocol):" in (tmp_path / "my_call.py").read_text()
