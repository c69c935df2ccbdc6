"""A user error gives one line on stderr and status 2; nothing is printed on stdout and no file is written."""

import pytest

from workbench.cli import main
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure import METRICS
from workbench.measure.comparison import cost
from workbench.protocols import PROTOCOLS

BROKEN = '''"""R1 it does not work."""
from workbench.core.contracts import Protocol


class Broken(Protocol):
    name = "broken"
    title = "broken"

    def register(self, cpu, feature, gpa):
        return (yield gpa.nothing)
'''


def complaint(capsys, *arguments):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("workbench: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("workbench: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("compare --vcpus 0", "argument --vcpus: 0 is out of range; allowed: 1 to 4096"),
        ("compare --vcpus -5", "argument --vcpus: -5 is out of range; allowed: 1 to 4096"),
        ("compare --vcpus 4097", "argument --vcpus: 4097 is out of range; allowed: 1 to 4096"),
        ("compare --vcpus many", "argument --vcpus: 'many' is not a whole number; allowed: 1 to 4096"),
        ("compare --seed -1", "argument --seed: -1 is out of range; allowed: 0 or more"),
        ("compare --events ,", "argument --events: no name given"),
        (
            "compare --protocols nobody",
            f"unknown protocol 'nobody'; known: {', '.join(PROTOCOLS)}, or path/to/file.py:Class",
        ),
        ("compare --protocols none.py:X", "protocol file 'none.py' does not exist; looked at {here}/none.py"),
        ("compare --features a/none.py", "feature file 'a/none.py' does not exist; looked at {here}/a/none.py"),
        ("compare --events none.py:X", "event file 'none.py' does not exist; looked at {here}/none.py"),
        ("compare --protocols null+x", "protocol 'null' has no mitigation 'x'; known: none"),
        ("compare --events noon", f"unknown event 'noon'; known: {', '.join(EVENTS)}, or path/to/file.py:Class"),
        ("compare --features x", f"unknown feature 'x'; known: {', '.join(FEATURES)}, or path/to/file.py:Class"),
        ("compare --metrics x", f"unknown metric 'x'; known: {', '.join(METRICS)}, cost_cycles"),
        (
            "compare --cost-model x",
            f"unknown cost model 'x'; known: {', '.join(cost.known())}, or path/to/model.json",
        ),
        (
            "compare --metrics cost_cycles",
            f"the metric cost_cycles needs a cost model; known: {', '.join(cost.known())}",
        ),
        (
            "compare --vcpus 1 --events cpu-hotplug",
            "event 'cpu-hotplug' needs at least 2 vCPUs; here are 1",
        ),
        ("compare --output no/folder/x.txt", "cannot write 'no/folder/x.txt': there is no directory 'no/folder'"),
        ("compare --vcpu 3", "unknown option of workbench compare '--vcpu'; did you mean --vcpus? known: --help, "),
        ("list --format xml", "argument --format: unknown value 'xml'; known: text, json, csv, markdown"),
        ("matrx", "unknown command 'matrx'; did you mean matrix? known: "),
        ("explore generik", "unknown protocol 'generik'; did you mean generic? known: "),
        (
            "explore generic --events suspend-resum",
            "unknown event 'suspend-resum'; did you mean suspend-resume? known: ",
        ),
        ("", "the following arguments are required: COMMAND"),
        ("report", "the following arguments are required: DIR"),
    ],
)
def test_one_line(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    said, message = complaint(capsys, *arguments.split()), message.replace("{here}", str(tmp_path))
    assert said.startswith(message) if message.endswith(("known: ", "known: --help, ")) else said == message
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_names_those_that_are_known(capsys):
    said = complaint(capsys, "nothing")
    assert "'nothing'" in said
    assert all(command in said for command in ("compare", "list", "replay", "report"))


def test_a_protocol_that_breaks_off_is_named_with_its_line(capsys, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(BROKEN)
    argv = ["compare", "--vcpus", "2", "--events", "boot", "--protocols", f"null,{path}:Broken"]
    assert main(argv) == 1
    out, said = capsys.readouterr()
    why = "AttributeError: 'int' object has no attribute 'nothing'"
    assert said == (
        "workbench: broken under boot broke off: protocol broken raised an exception under event boot: "
        f"{why} ({path}:10)\n"
    )
    assert "broke off" in out
    assert why in " ".join(out.split())


def test_two_protocols_of_one_name(capsys, tmp_path):
    path = tmp_path / "again.py"
    path.write_text(BROKEN.replace('"broken"', '"mine"'))
    (tmp_path / "other.py").write_text(path.read_text())
    said = complaint(capsys, "compare", "--protocols", f"{path},{tmp_path}/other.py")
    assert said == "two different protocols are called 'mine'; rename one of them"


def test_a_protocol_called_as_one_that_ships(capsys, tmp_path):
    path = tmp_path / "again.py"
    path.write_text(BROKEN.replace('"broken"', '"generic"'))
    said = complaint(capsys, "compare", "--protocols", f"{path}:Broken")
    assert said == f"protocol {path}:Broken is called 'generic', as one that ships; give it another name"


def test_an_interruption_is_one_line(capsys, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.measure.comparison.runs.simulate", interrupt)
    assert main(["compare", "--vcpus", "11"]) == 130
    said = "interrupted; nothing is kept; with --state DIR what is finished would be"
    assert capsys.readouterr().err == f"workbench: {said}\n"


@pytest.mark.parametrize("command", ["compare", "list", "report"])
def test_help_has_an_example(capsys, command):
    assert main([command, "--help"]) == 0
    assert f"workbench {command}" in capsys.readouterr().out.partition("example")[2]
