"""A user error gives one line on stderr and status 2; nothing is printed on stdout and no file is written."""

import pickle

import pytest

from tests.hostile.told import told
from workbench.checking.failures import FAILURES
from workbench.cli import main
from workbench.errors import WorkbenchError
from workbench.features import SHIPPED
from workbench.history import BUGS
from workbench.lifecycle import EVENTS, choose
from workbench.measure import METRICS
from workbench.measure.comparison import cost
from workbench.printable import in_columns
from workbench.protocols.generic import Generic

MITIGATIONS = {**Generic.mitigations_known, **Generic.readings_known}

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
    return told(captured.err)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("compare --vcpus 0", "argument --vcpus: 0 is out of range; allowed: 1 to 4096"),
        ("compare --vcpus -5", "argument --vcpus: -5 is out of range; allowed: 1 to 4096"),
        ("compare --vcpus 4097", "argument --vcpus: 4097 is out of range; allowed: 1 to 4096"),
        ("compare --vcpus many", "argument --vcpus: 'many' is not a whole number; allowed: 1 to 4096"),
        ("compare --seed -1", "argument --seed: -1 is out of range; allowed: 0 or more"),
        ("compare --events ,", "argument --events: no name given"),
        ("compare --protocols nobody", "unknown protocol 'nobody'"),
        ("compare --protocols none.py:X", "protocol file 'none.py' does not exist; looked at {here}/none.py"),
        ("compare --features a/none.py", "feature file 'a/none.py' does not exist; looked at {here}/a/none.py"),
        ("compare --events none.py:X", "event file 'none.py' does not exist; looked at {here}/none.py"),
        ("compare --protocols null+x", "protocol 'null' has no mitigation 'x'; known: none"),
        ("compare --events noon", "unknown event 'noon'"),
        ("compare --features x", "unknown feature 'x'"),
        ("compare --metrics x", "unknown metric 'x'"),
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
        ("compare --vcpu 3", "unknown option of workbench compare '--vcpu'; did you mean --vcpus?"),
        ("list --format xml", "argument --format: unknown value 'xml'; known: text, json, csv, markdown"),
        ("matrx", "unknown command 'matrx'; did you mean matrix?"),
        ("explore generik", "unknown protocol 'generik'; did you mean generic?"),
        (
            "explore generic --events suspend-resum",
            "unknown event 'suspend-resum'; did you mean suspend-resume?",
        ),
        ("", "the following arguments are required: COMMAND"),
        ("report", "the following arguments are required: DIR"),
    ],
)
def test_one_line(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    said, message = complaint(capsys, *arguments.split()), message.replace("{here}", str(tmp_path))
    assert said == message
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_names_those_that_are_known(capsys):
    assert main(["nothing"]) == 2
    first, names = told(capsys.readouterr().err)
    assert first == "unknown command 'nothing'"
    assert set(names) >= {"compare", "list", "replay", "report"}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("compare --events kexek", EVENTS), ("compare --features steel-time", SHIPPED),
        ("compare --metrics x", [*METRICS, "cost_cycles"]), ("compare --protocols generic+x", MITIGATIONS),
        ("explore null --property x", [f"{one.name} ({one.code})" for one in FAILURES.values()]),
        ("history --bug x", BUGS),
    ],
)  # fmt: skip
def test_a_long_list_of_names_is_in_columns(capsys, arguments, names):
    """They are read downwards, in the order of the catalogue; elsewhere than in a terminal each line has 80 columns."""
    assert main(arguments.split()) == 2
    err = capsys.readouterr().err
    assert sorted(told(err)[1]) == sorted(names)
    rows = [line for line in err.splitlines() if line.startswith("  ")]
    first_column = [row.split()[0] for row in rows]
    assert first_column == [name.split()[0] for name in list(names)[: len(rows)]]
    assert len(rows) < len(list(names)) / 1.5


def test_in_python_the_error_is_one_line_with_all_names():
    with pytest.raises(WorkbenchError) as raised:
        choose(["kexek"])
    near = "did you mean kexec, kexec-no-teardown, kexec-to-silent?"
    known = f"known: {', '.join(EVENTS)}, or path/to/file.py:Class"
    assert str(raised.value) == f"unknown event 'kexek'; {near} {known}"
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.names) == (str(raised.value), tuple(EVENTS))


@pytest.mark.parametrize("width", [10, 20, 40, 79, 80, 200])
def test_columns_hold_every_name_once_and_are_as_wide_as_they_may_be(width):
    rows = in_columns(list(EVENTS), width)
    assert sorted(name for row in rows for name in row.split()) == sorted(EVENTS)
    assert len(rows) == len(EVENTS) or max(map(len, rows)) <= width
    assert in_columns(["a", "b", "c"], 9) == ["  a  b  c"]
    assert in_columns(["a", "b", "c"], 8) == ["  a  c", "  b"]
    assert in_columns([], 80) == []


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
