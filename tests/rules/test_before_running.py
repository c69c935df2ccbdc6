"""What is told of a class before it runs: what it declares, and what its text shows."""

import pytest

from tests.rules.designs import GOOD, line_of, slip
from tests.rules.slips import KEEP, RIGHT, SLIPS
from workbench.cli import main
from workbench.core.contracts import Feature, Protocol
from workbench.core.rules import declared, source
from workbench.core.rules.author import complaints
from workbench.protocols import PROTOCOLS, find


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes a design and returns its path."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        file = tmp_path / "mine.py"
        file.write_text(text)
        return str(file)

    return write


def told(capsys, *command):
    assert main(command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("slip_name", SLIPS)
def test_a_slip_is_told_with_its_place_and_what_to_write(written, capsys, slip_name):
    changes, mark, method, rule, instead = SLIPS[slip_name]
    text = slip(*changes)
    said = told(capsys, "compare", "--protocols", written(text), "--events", "boot", "--vcpus", "2")
    where = f"mine.py:{line_of(text, mark)}: Mine{'.' + method if method else ''}: "
    assert said.startswith(f"workbench: {where}"), said
    assert rule in said
    assert instead in said


@pytest.mark.parametrize("command", ["compare --protocols", "explore", "matrix --jobs 1 --protocols", "kvm --protocols",
                                     "list --protocols", "export dot -o x.dot"])  # fmt: skip
def test_every_command_tells_it(written, capsys, command):
    if command.startswith("kvm") and main(["kvm", "--probe"]) == 2:
        pytest.skip("no KVM here")
    capsys.readouterr()
    said = told(capsys, *command.split(), written(slip((KEEP, KEEP.removeprefix("yield ")))))
    assert "made and not yielded" in said


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_told(written, name):
    assert complaints(find(written(slip(*RIGHT[name])))) == ()


def test_the_good_design_has_nothing_to_tell(written):
    assert complaints(find(written(GOOD))) == ()


def subclasses(kind):
    return {kind, *(one for own in kind.__subclasses__() for one in subclasses(own))}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_shipped_designs_keep_the_rules_of_authors(name):
    kind = PROTOCOLS[name]
    assert [*declared.complaints(kind), *source.complaints(kind, kind)] == []


def test_every_attribute_of_the_contract_has_a_rule():
    names = {name for name in Protocol.__annotations__ if not name.startswith("_")}
    assert names == set(declared.ATTRIBUTES)


def test_features_are_known_by_name():
    class Sleepy(Feature):
        name = "sleepy"

    from workbench.core.rules.names import FEATURE_NAMES, no_feature

    assert {"sleepy", "steal_time"} <= FEATURE_NAMES
    assert no_feature("sleepy") is None
    assert no_feature("steal_tme") == "write 'steal_time'"
    assert no_feature("zzz").startswith("features are ")
