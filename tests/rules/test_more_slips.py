"""Slips of further kinds: each is told with its place in the author's file, the rule, and what to write."""

import pytest

from tests.rules.designs import GOOD, line_of, slip
from workbench.cli import main
from workbench.core import machine
from workbench.measure.variants import variant

REGISTER = "outcome = yield Wrmsr(MSR, gpa | 1)"
KEEP = "yield Set(register(cpu.index, MSR), value or None)"
AREA = 'yield Set(area(cpu.index, "steal_time"), gpa if value & 1 else None)'
CLASS = "class Mine"
METHOD = "    def on_wrmsr("
NUMPY = ("from workbench.design import (", "import numpy as np\n\nfrom workbench.design import (")
COUNTER = """def counter():
    n = 0

    def up():
        nonlocal n
        n += 1
        return n

    return up


next_id = counter()


class Mine"""
CACHED = "import functools\n\n\n@functools.lru_cache\ndef first(cpu):\n    return [0]\n\n\nclass Mine"
HELPER = "SEEN = []\n\n\ndef note(value):\n    SEEN.append(value)\n    return len(SEEN)\n\n\nclass Mine"
COUNTING = "def count():\n    count.n = getattr(count, 'n', 0) + 1\n    return count.n\n\n\nclass Mine"
PICK = "import random\n\n\ndef pick():\n    return random.randrange(2)\n\n\nclass Mine"
SEND = "def send(gpa):\n    return Wrmsr(MSR, gpa | 1)\n\n\ndef ask(gpa):\n    Wrmsr(MSR, gpa | 1)\n\n\nclass Mine"
PLAIN = f"    def keep(self, cpu, value):\n        return Set(register(cpu.index, MSR), value)\n\n{METHOD}"
NEVER_ENDS = "n = 0\n        while True:\n            n += 1\n            yield Set(register(cpu.index, MSR), n)"

#: (changes, the piece that marks the line, method, part of the rule, what to write)
SLIPS = {
    "yield from what returns a step": (
        [(KEEP, "yield from self.keep(cpu, value)"), (METHOD, PLAIN)],
        "from self.keep", "Mine.on_wrmsr", "yielded the key register(0, 1263947040), not a step", "not yield from",
    ),
    "a tuple of steps": (
        [(KEEP, "yield (Set(register(cpu.index, MSR), value), Get(register(cpu.index, MSR)))")],
        "yield (Set", "Mine.on_wrmsr", "yielded 2 steps in a tuple", "yield a, then yield b",
    ),
    "a lambda": (
        [(KEEP, "yield lambda: Set(register(cpu.index, MSR), value)")],
        "lambda", "Mine.on_wrmsr", "yielded a function, not a step", "call it",
    ),
    "a property": (
        [(METHOD + "self, cpu, msr, value, *, host_initiated=False):", "    @property\n    def on_wrmsr(self):"),
         ("gpa = value & ~63", "cpu = value = gpa = 0")],
        "    @property", "Mine.on_wrmsr", "on_wrmsr is a property", "must be a method: def on_wrmsr(self, cpu, msr",
    ),
    "a classmethod": (
        [(METHOD + "self", "    @classmethod\n    def on_wrmsr(cls")],
        "    @classmethod", "Mine.on_wrmsr", "on_wrmsr is a classmethod", "must be a method",
    ),
    "an async program": (
        [("    def register(", "    async def register("),
         ("return REFUSED if outcome is FAULT else ACCEPTED", "return")],
        "async def", "Mine.register", "is async", "write def register, and yield each step",
    ),
    "state of a closure": (
        [(CLASS, COUNTER), (KEEP, "yield Set(register(cpu.index, MSR), next_id())")],
        "next_id())", "Mine.on_wrmsr", "what the function next_id keeps between its calls", "Set(registry(",
    ),
    "a cached list": (
        [(CLASS, CACHED), (KEEP, "first(cpu.index)[0] += 1")],
        "[0] += 1", "Mine.on_wrmsr", "changes what first(cpu.index) returns", "Set(registry(",
    ),
    "a list of the module, in a helper": (
        [(CLASS, HELPER), (KEEP, "yield Set(register(cpu.index, MSR), note(value))")],
        "SEEN.append", "note", "changes SEEN", "Set(registry(",
    ),
    "an attribute of a function": (
        [(CLASS, COUNTING), (KEEP, "yield Set(register(cpu.index, MSR), count())")],
        "def count", "count", "what the function count keeps between its calls changed", "Set(registry(",
    ),
    "setattr": (
        [(KEEP, "setattr(self, 'held', value)")],
        "setattr", "Mine.on_wrmsr", "self.held changed during a run", "Set(registry(",
    ),
    "an attribute of a feature": (
        [(REGISTER, "setattr(feature, 'linux_boot', 7)\n        " + REGISTER)],
        "setattr", "Mine.register", "steal_time.linux_boot changed during a run", "Set(registry(",
    ),
    "chance in a helper": (
        [(CLASS, PICK), (KEEP, "yield Set(register(cpu.index, MSR), pick())")],
        "randrange", "pick", "another answer at each run", "use what steps answer",
    ),
    "a process id": (
        [(CLASS, "import os\n\n\nclass Mine"), (KEEP, "yield Set(register(cpu.index, MSR), os.getpid())")],
        "os.getpid", "Mine.on_wrmsr", "another answer at each run", "use what steps answer",
    ),
    "a step in a helper that is no generator": (
        [(CLASS, SEND), (REGISTER, "outcome = yield send(gpa)\n        ask(gpa)")],
        "    Wrmsr(MSR, gpa | 1)", "ask", "made and not yielded", "write (yield Wrmsr",
    ),
    "a float": (
        [(KEEP, "yield Set(register(cpu.index, MSR), value / 2)")],
        "value / 2", "Mine.on_wrmsr", "must be immutable and exact", "an int: a // b, or int(...)",
    ),
    "a numpy number": (
        [NUMPY, (KEEP, "yield Set(register(cpu.index, MSR), np.uint64(value))")],
        "np.uint64(v", "Mine.on_wrmsr", "must be immutable and exact", "or int(...)",
    ),
    "a numpy number in a register": (
        [NUMPY, (REGISTER, "outcome = yield Wrmsr(MSR, np.uint64(gpa | 1))")],
        "np.uint64(g", "Mine.register", "the value is np.uint64(1052673), which is no int", "write int(...)",
    ),
    "a truth value in a register": (
        [(REGISTER, "outcome = yield Wrmsr(MSR, gpa > 0)")],
        "gpa > 0", "Mine.register", "the value is True, which is no int", "write int(...)",
    ),
    "a negative number in a register": (
        [(REGISTER, "outcome = yield Wrmsr(MSR, ~gpa)")],
        "~gpa", "Mine.register", "does not fit into 64 bits", "value & 0xffffffffffffffff",
    ),
    "the name of a register for its number": (
        [(REGISTER, "outcome = yield Wrmsr('MSR', gpa)")],
        "'MSR'", "Mine.register", "the msr is 'MSR', which is no int", "write a number",
    ),
    "no address": (
        [(KEEP, "yield Load((yield Get(register(9, MSR))), U64)")],
        "yield Load", "Mine.on_wrmsr", "the address of the Load is None", "answer None where there is nothing",
    ),
    "an address as a text": (
        [(AREA, 'yield Set(area(cpu.index, "steal_time"), hex(gpa))')],
        "hex(gpa)", "Mine.on_wrmsr", "to '0x101000': it is the address where the host serves the area", "an int",
    ),
    "a record for an index": (
        [(AREA, 'yield Set(area(cpu, "steal_time"), gpa)')],
        "area(cpu, ", "Mine.on_wrmsr", "a key begins with the index of a vCPU", "write area(cpu.index, ...)",
    ),
    "a feature for its name": (
        [(AREA, "yield Set(area(cpu.index, self.features[0]), gpa)")],
        "features[0]", "Mine.on_wrmsr", "a key ends with the name of a feature", "feature.name)",
    ),
    "a loop without an end": (
        [(KEEP, NEVER_ENDS)], "MSR), n)", "Mine.on_wrmsr", "no end after 11,000 steps", "a loop needs a bound",
    ),
}  # fmt: skip

#: Exceptions of an author's program: what is written, and how it is told.
RAISED = {
    "ValueError('x')": "ValueError: x",
    "KeyError('k')": "KeyError: 'k'",
    "AssertionError": "AssertionError",
    "RecursionError('deep')": "RecursionError: deep",
    "OSError('gone')": "OSError: gone",
    "StopIteration": "event boot: StopIteration",
    "NotImplementedError": "NotImplementedError",
}


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Return a function that writes a design, runs it in a boot, and returns (status, what is said in one line)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "MOST_STEPS", 10_000)

    def run(text, command="compare --events boot --vcpus 2 --protocols"):
        file = tmp_path / "mine.py"
        file.write_text(text)
        status = main([*command.split(), str(file)])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert " at 0x" not in said.err  # an address in memory differs from run to run
        return status, " ".join((said.err + said.out).split())

    return run


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_told(told, name):
    changes, mark, place, rule, instead = SLIPS[name]
    text = slip(*changes)
    status, said = told(text)
    assert status in (1, 2)
    assert f"mine.py:{line_of(text, mark)}: {place}: " in said, said
    assert rule in said, said
    assert instead in said, said


@pytest.mark.parametrize("raised", RAISED)
def test_an_exception_is_told_with_its_line(told, raised):
    text = slip((KEEP, f"raise {raised}\n        {KEEP}"))
    status, said = told(text)
    assert status == 1
    assert RAISED[raised] in said
    assert f"(mine.py:{line_of(text, 'raise')})" in said


@pytest.mark.parametrize("name", ["a tuple of steps", "a record for an index", "a numpy number in a register"])
def test_check_tells_it_in_a_line_of_its_report(told, name):
    changes, mark, place, rule, _ = SLIPS[name]
    text = slip(*changes)
    status, said = told(text, "check")
    assert status == 1
    assert f"FAIL runs under every event: mine.py:{line_of(text, mark)}: {place}: " in said
    assert rule in said
    assert said.count(rule) == 1  # other checks that break off for the same reason are left out
    assert "breaks off as above" in said


def test_an_exception_of_generated_code_is_told_with_the_author_s_line(told):
    text = slip((KEEP, "cpu.index = 1"))
    _, said = told(text)
    assert f"cannot assign to field 'index' (mine.py:{line_of(text, 'cpu.index = 1')})" in said


def test_a_file_that_changed_is_another_design(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.py"
    file.write_text(GOOD)
    first = variant("mine.py")
    assert variant("mine.py").kind is first.kind
    file.write_text(GOOD.replace("one register", "another register"))
    assert variant("mine.py").kind.title == "another register"
