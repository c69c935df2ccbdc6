"""Whatever a design raises while it runs is told in one line with its place; what does not end is ended."""

import pytest

from workbench.cli import main
from workbench.core.rules import place

DESIGN = '''"""R1 it raises."""
import sys
from workbench.design import ACCEPTED, HANDLED, U64, Load, Protocol, Set, Wrmsr, area


class Odd:
    def __eq__(self, other):
        {eq}

    def __hash__(self):
        {hash}

    def __repr__(self):
        {repr}


class Bad(Protocol):
    name = "bad"
    title = "raises"
    msrs = frozenset({{0x4b564e00}})

    def register(self, cpu, feature, gpa):
        """R1"""
        {guest}
        yield Wrmsr(0x4b564e00, gpa)
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        {host}
        yield {step}
        return HANDLED

    def save(self, cpus):
        {save}
        return ()
        yield
'''
USUAL = {"eq": "return self is other", "hash": "return 1", "repr": "return 'odd'", "guest": "pass", "host": "pass",
         "save": "pass", "step": 'Set(area(cpu.index, "steal_time"), value)'}  # fmt: skip
EXCEPTIONS = {
    "raise ValueError('x')": "ValueError: x", "raise SystemExit(0)": "SystemExit: 0", "sys.exit(3)": "SystemExit: 3",
    "raise KeyboardInterrupt": "KeyboardInterrupt", "raise GeneratorExit": "GeneratorExit",
    "raise OSError(5, 'x')": "Errno 5",
    "raise StopIteration(3)": "StopIteration: 3", "raise BrokenPipeError": "BrokenPipeError",
    "raise BaseException('base')": "BaseException: base", "raise RecursionError": "RecursionError",
    "raise BaseExceptionGroup('g', [SystemExit(0)])": "BaseExceptionGroup", "raise UserWarning('w')": "UserWarning: w",
}  # fmt: skip
COMMANDS = [
    "compare --vcpus 2 --events migrate --protocols", "explore --events migrate", "export dot --events migrate",
    "matrix --events migrate --features steal_time --jobs 1 --protocols", "check",
]  # fmt: skip


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Return a function that writes a design and runs a command on it: (status, what is said, in one line)."""
    monkeypatch.chdir(tmp_path)

    def run(command, **parts):
        (tmp_path / "bad.py").write_text(DESIGN.format(**{**USUAL, **parts}))
        status = main([*command.split(), "bad.py:Bad"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        said = [line for line in err.splitlines() if "states/s" not in line and " of " not in line]
        assert len([line for line in said if "workbench: check: " not in line]) <= 1
        return status, " ".join((err + out).split())

    return run


@pytest.mark.parametrize("raising", EXCEPTIONS)
@pytest.mark.parametrize("where", ["guest", "host", "save"])
@pytest.mark.parametrize("command", COMMANDS[:3])
def test_an_exception_is_told_with_its_place(told, command, where, raising):
    status, said = told(command, **{where: raising})
    assert status in (1, 2)
    assert EXCEPTIONS[raising] in said
    assert "bad.py:" in said


OTHER_METHODS = {"__init__(self, *features)": "super().__init__(*features)", "prepare(self, cpu)": "yield from ()",
                 "restore(self, cpus, saved)": "yield from ()"}  # fmt: skip


#: Takes up what follows in the text: an outcome, which these methods may not return.
REST = "\n\n    def rest(self):\n        yield"


@pytest.mark.parametrize("raising", [*EXCEPTIONS, "raise MemoryError", "raise ImportError('x')", "raise EOFError"])
@pytest.mark.parametrize("method", OTHER_METHODS)
def test_so_is_one_of_the_other_methods(told, method, raising):
    step = f"Set(area(cpu.index, 'steal_time'), value)\n        return HANDLED\n\n    def {method}:\n"
    status, said = told(COMMANDS[0], step=f"{step}        {OTHER_METHODS[method]}\n        {raising}{REST}")
    assert status in (1, 2)
    assert EXCEPTIONS.get(raising, "bad.py") in said
    assert "bad.py:" in said


@pytest.mark.parametrize("command", COMMANDS[3:])
@pytest.mark.parametrize("raising", ["sys.exit(0)", "raise KeyboardInterrupt", "raise StopIteration"])
def test_the_slower_commands_tell_it_too(told, command, raising):
    status, said = told(command, host=raising)
    assert status in (1, 2)
    assert "bad.py:" in said


@pytest.mark.parametrize("method", ["eq", "hash", "repr"])
@pytest.mark.parametrize("raising", ["raise ValueError", "sys.exit(0)", "raise StopIteration"])
@pytest.mark.parametrize("step", ["Odd()", 'Set(area(cpu.index, "steal_time"), Odd())'])
def test_a_value_whose_own_methods_raise_ends_nothing_quietly(told, step, raising, method):
    for command in COMMANDS[:2]:
        status, said = told(command, step=step, **{method: raising})
        assert status in (1, 2)
        assert "bad" in said


ENDLESS = "\n        while True:\n            yield Load(0x1000, U64)"


@pytest.mark.parametrize("where", ["guest", "host", "save"])
def test_a_program_that_does_not_end_is_ended(told, monkeypatch, where):
    monkeypatch.setattr("workbench.core.machine.MOST_STEPS", 2000)
    status, said = told(COMMANDS[0], **{where: ENDLESS})
    assert status == 1
    assert "bad.py:" in said
    assert "no end after 3,000 steps; a loop needs a bound" in said


def test_an_event_that_does_not_end_is_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workbench.core.event_steps.MOST_EVENT_STEPS", 500)
    (tmp_path / "ever.py").write_text(
        "from workbench.design import AfterBoot, Enter\n\n\n"
        "class Ever(AfterBoot):\n    name = 'ever'\n    title = 'ever'\n"
        "\n    def happen(self, scenario):\n        while True:\n            yield Enter(0)\n"
    )
    assert main(["compare", "--vcpus", "1", "--protocols", "null", "--events", "ever.py"]) == 1
    assert "ever.py:10: Ever.happen: no end after 500 steps" in " ".join(capsys.readouterr().err.split())


def test_the_limits_are_far_above_what_ships():
    assert place.MOST_STEPS >= 50_000
    assert place.MORE_STEPS >= 500
