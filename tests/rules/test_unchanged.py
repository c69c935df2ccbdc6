"""State in Python that the text does not show is found by what a run leaves behind, by each engine."""

import pytest

from tests.rules.designs import GOOD, line_of, slip
from workbench.cli import main
from workbench.core.rules.unchanged import unchanged
from workbench.errors import AuthorError
from workbench.features import FEATURES
from workbench.protocols import find

KEEP = "yield Set(register(cpu.index, MSR), value or None)"
BOX = "class Box:\n    pass\n\n\nMSR = 0x4B564D20"

#: (changes, the piece that marks the line or None, what is named)
HIDDEN = {
    "setattr": ([(KEEP, "setattr(self, 'held', value)")], None, "self.held"),
    "vars": ([(KEEP, "vars(self)['held'] = value")], None, "self.held"),
    "an object of one's own": (
        [("MSR = 0x4B564D20", BOX + "\nBOX = Box()"), (KEEP, "box = BOX\n        box.n = value")],
        "box = BOX",
        "BOX",
    ),
    "a list by another name": (
        [("MSR = 0", "SEEN = []\nMSR = 0"), (KEEP, "seen = SEEN; seen += (value,); del seen")],
        "seen = SEEN",
        "SEEN",
    ),
    "a list in a tuple": (
        [("MSR = 0", "SEEN = ([],)\nMSR = 0"), (KEEP, "(seen,) = SEEN; seen.append(value); del seen")],
        "= SEEN; seen",
        "SEEN",
    ),
    "a default argument of a helper": (
        [("    def on_wrmsr(", "    def keep(self, value, seen=[]):\n        seen.append(value)\n\n    def on_wrmsr("),
         (KEEP, "self.keep(value)")],
        "def keep",
        "what the function Mine.keep keeps between its calls",
    ),
    "an attribute of a method": (
        [(KEEP, "setattr(Mine.on_wrmsr, 'seen', value)")],
        "def on_wrmsr",
        "what the function Mine.on_wrmsr keeps between its calls",
    ),
    "an attribute that a method has": (
        [("return HANDLED", "return HANDLED\n\n    on_wrmsr.seen = [0]"),
         (KEEP, "seen = Mine.on_wrmsr.seen; seen[0] += 1; del seen")],
        "def on_wrmsr",
        "what the function Mine.on_wrmsr keeps between its calls",
    ),
    "an attribute of a function of the module": (
        [("MSR = 0", "def helper():\n    return 1\n\n\nMSR = 0"), (KEEP, "setattr(helper, 'seen', value)")],
        None,
        "what the function helper keeps between its calls",
    ),
    "a list in a dict": (
        [("MSR = 0", "SEEN = {'a': 1, 'b': [0]}\nMSR = 0"), (KEEP, "seen = SEEN; seen['b'][0] += 1; del seen")],
        "seen = SEEN",
        "SEEN",
    ),
    "a number in a dict": (
        [("MSR = 0", "SEEN = {'a': 1}\nMSR = 0"), (KEEP, "seen = SEEN; seen['a'] += 1; del seen")],
        "seen = SEEN",
        "SEEN",
    ),
}  # fmt: skip


@pytest.fixture
def design(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        file = tmp_path / "mine.py"
        file.write_text(text)
        return str(file)

    return write


def words(said):
    """Return all that was said in one line."""
    assert "Traceback" not in said.out + said.err
    return " ".join((said.err + said.out).split())


@pytest.mark.parametrize("command", ["compare --vcpus 2 --events boot --protocols", "explore --events boot"])
@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_state_is_told_with_the_line_that_changes_it(design, capsys, name, command):
    changes, mark, named = HIDDEN[name]
    text = slip(*changes)
    assert main([*command.split(), design(text)]) == 1
    said = words(capsys.readouterr())
    assert f"{named} changed during a run" in said
    if mark is not None:
        assert f"mine.py:{line_of(text, mark)}: Mine." in said


def test_what_decides_differently_each_time_is_told_as_hidden_state_not_as_chance(design, capsys):
    counting = "setattr(self, 'n', getattr(self, 'n', 0) + 1)\n        if self.n > 3:\n            return FAULT"
    text = slip((KEEP, counting))
    assert main(["explore", "--events", "boot", design(text)]) == 1
    assert "self.n changed during a run" in words(capsys.readouterr())


def test_what_is_computed_once_is_no_state(design):
    text = slip(
        ("from workbench.design", "from functools import cached_property\n\nfrom workbench.design"),
        ("    def supports", "    @cached_property\n    def mask(self):\n        return 63\n\n    def supports"),
        ("value & ~63", "value & ~self.mask"),
    )
    assert main(["compare", "--vcpus", "2", "--events", "boot", "--protocols", design(text)]) == 0


def test_a_function_around_a_builtin_is_no_state(design):
    """In a notebook, open is such a function."""
    opened = "from functools import wraps\n\n\n@wraps(open)\ndef opened(*args):\n    return open(*args)\n\n\nMSR = 0"
    assert main(["compare", "--vcpus", "2", "--events", "boot", "--protocols", design(slip(("MSR = 0", opened)))]) == 0


def test_what_a_notebook_keeps_among_its_authors_names_is_no_state(design):
    shell = "class Shell:\n    user_ns_hidden = {'SEEN': 0}\n\n    def get_ipython(self):\n        return self\n\n\n"
    both = shell + "get_ipython = Shell().get_ipython\nSEEN = [0]\nMSR = 0"
    text = slip(("MSR = 0", both), (KEEP, "seen = SEEN; seen[0] += 1; del seen"))
    assert main(["compare", "--vcpus", "2", "--events", "boot", "--protocols", design(text)]) == 0


def test_a_run_that_fails_tells_its_own_error_if_nothing_changed(design):
    protocol = find(design(GOOD))((FEATURES["steal_time"],))

    def run(change):
        with unchanged(protocol):
            if change:
                protocol.held = 1
            raise KeyError("own")

    with pytest.raises(KeyError):
        run(change=False)
    with pytest.raises(AuthorError, match=r"self\.held changed"):
        run(change=True)
