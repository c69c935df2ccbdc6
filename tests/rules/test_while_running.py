"""What is checked while programs run: sides, steps, programs, returned values, kept values; by each engine."""

import inspect

import pytest

from tests.rules.designs import GOOD, line_of, slip
from workbench.cli import main
from workbench.core.contracts import Protocol
from workbench.core.rules.returned import RETURNS
from workbench.core.rules.sides import YIELDED_BY, by_side
from workbench.core.steps import GUEST, KERNEL, USER, Get, Load, Wrmsr

REGISTER = "outcome = yield Wrmsr(MSR, gpa | 1)"
KEEP = "yield Set(register(cpu.index, MSR), value or None)"

#: (right, wrong, the piece that marks the line, method, part of the rule, what to write)
SLIPS = [
    (REGISTER, "yield Set(register(0, MSR), gpa)\n        " + REGISTER, "yield Set(register(0", "register",
     "a step of host handlers only", "let a Wrmsr reach on_wrmsr"),
    (REGISTER, "yield Get(register(0, MSR))\n        " + REGISTER, "Get(register(0", "register",
     "a step of host handlers only", "read it by a Rdmsr"),
    (REGISTER, "yield Backed(gpa, 64)\n        " + REGISTER, "  yield Backed(gpa, 64)", "register",
     "a step of host handlers only", "let the host's handler ask"),
    (KEEP, "yield Wrmsr(MSR, value)", "yield Wrmsr(MSR, value)", "on_wrmsr",
     "a step of guest programs only", "yield Set(register(cpu.index, msr), value)"),
    (KEEP, "yield Rdmsr(MSR)", "yield Rdmsr(MSR)", "on_wrmsr",
     "a step of guest programs only", "yield Get(register(cpu.index, msr))"),
    (KEEP, "yield 5", "yield 5", "on_wrmsr", "yielded 5, which is not a step", "it may yield Load, Store"),
    (KEEP, "yield (Wrmsr)", "(Wrmsr)", "on_wrmsr", "yielded the class Wrmsr, not a step", "write yield Wrmsr(...)"),
    (KEEP, "yield Set(register(cpu.index, MSR), [value])", "[value]", "on_wrmsr",
     "must be immutable", "write a tuple: tuple(...)"),
    (KEEP, "yield Set(register(cpu.index, MSR), {value})", "MSR), {value}", "on_wrmsr",
     "must be immutable", "write a frozenset: frozenset(...)"),
    (KEEP, "yield Set(register(cpu.index, MSR), (1, [value]))", "(1, [value])", "on_wrmsr",
     "must be immutable", "tuple"),
    (KEEP, "yield Set('held', value)", "'held'", "on_wrmsr",
     "a key is made by area, register", "registry(cpu.index, 'held')"),
    (REGISTER, "yield Store(gpa, 5)\n        " + REGISTER, "Store(gpa, 5)", "register", "say how wide it is", "U32"),
    (REGISTER, "yield Store(gpa, 1 << 64, U64)\n        " + REGISTER, "U64)", "register",
     "does not fit", "allowed: 0 to"),
    (REGISTER, "yield Load('here', 8)\n        " + REGISTER, "'here'", "register",
     "the address of the Load is", "a number of bytes"),
    ("return HANDLED", "return True", "return True", "on_wrmsr",
     "True; it must", "it must return HANDLED, FAULT or UNKNOWN"),
    ("return HANDLED", "return 0", "return 0", "on_wrmsr", "0; it must", "it must return HANDLED, FAULT or UNKNOWN"),
    ("        return HANDLED\n", "", "def on_wrmsr", "on_wrmsr", "ends without a return", "HANDLED, FAULT or UNKNOWN"),
    ("return HANDLED", "return None", "return None", "on_wrmsr", "None; it must", "HANDLED, FAULT or UNKNOWN"),
    ("return REFUSED if outcome is FAULT else ACCEPTED", "return outcome is not FAULT", "is not FAULT", "register",
     "outcome is not FAULT; it must", "it must return what the guest concludes: ACCEPTED, REFUSED"),
    ("return REFUSED if outcome is FAULT else ACCEPTED", "return outcome", "return outcome", "register",
     "returned HANDLED, an Outcome", "it must return what the guest concludes: ACCEPTED, REFUSED"),
    (REGISTER + "\n        return REFUSED if outcome is FAULT else ACCEPTED", "return ACCEPTED", "def register",
     "register",
     "returned ACCEPTED, an Answer at once: without a yield", "a line with yield alone after the return"),
    ("return feature.name == \"steal_time\"", "return feature.name", "return feature.name", "supports",
     "returned '", "it must return True or False"),
]  # fmt: skip


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Return a function that writes a design, runs a command on it, and returns what it says, in one line.

    The status is 2 if the class is refused before it runs, 1 if its run broke off.
    """
    monkeypatch.chdir(tmp_path)

    def run(text, *command):
        file = tmp_path / "mine.py"
        file.write_text(text)
        status = main([str(file) if word == "FILE" else word for word in command])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        if status == 2:
            assert (said.out, said.err.count("\n")) == ("", 1)
        else:
            assert status == 1
            assert "broke off: " in " ".join((said.err + said.out).split())
        return " ".join((said.err + said.out).split())

    return run


COMPARE = ("compare", "--protocols", "FILE", "--events", "boot", "--vcpus", "2")
EXPLORE = ("explore", "FILE", "--events", "boot", "--features", "steal_time")


def test_the_good_design_is_right(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.py"
    file.write_text(GOOD)
    for command in (COMPARE, EXPLORE):
        assert main([str(file) if word == "FILE" else word for word in command]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("right", "wrong", "mark", "method", "rule", "instead"), SLIPS)
def test_a_slip_is_told_with_file_line_method_rule_and_what_to_write(told, right, wrong, mark, method, rule, instead):
    text = slip((right, wrong))
    where = f"mine.py:{line_of(text, mark)}: Mine.{method}: "
    for command in (COMPARE, EXPLORE):
        said = told(text, *command)
        assert where in said, said
        assert rule in said
        assert instead in said


def test_an_exception_is_told_with_the_line_of_the_author(told):
    text = slip((KEEP, "yield Set(register(cpu.index, MSR), value.nothing)"))
    for command in (COMPARE, EXPLORE):
        said = told(text, *command)
        assert "AttributeError: 'int' object has no attribute 'nothing'" in said
        assert f"(mine.py:{line_of(text, 'nothing')})" in said


def test_every_step_has_its_sides_in_the_one_table():
    actions = dict.fromkeys(YIELDED_BY, len)
    guest, kernel, user = by_side(actions)
    assert (Get in guest, Get in kernel, Get in user) == (False, True, True)
    assert (Wrmsr in guest, Wrmsr in kernel) == (True, False)
    assert all(Load in side for side in (guest, kernel, user))
    assert [sorted(sides) for kind, sides in YIELDED_BY.items() if kind is Load] == [[GUEST, KERNEL, USER]]


def test_every_program_of_the_contract_has_a_rule_for_what_it_returns():
    programs = {
        name for name, method in vars(Protocol).items() if inspect.isfunction(method) and not name.startswith("_")
    }
    assert programs == set(RETURNS)


def test_every_step_of_authors_is_in_the_table_of_sides():
    import workbench.core.steps as steps

    kinds = {kind for kind in vars(steps).values() if inspect.isclass(kind) and kind.__module__ == steps.__name__}
    assert kinds - set(YIELDED_BY) == {steps.Side, steps.Exit, steps.Moment}
