"""The changes themselves: each kind is made, texts for people are not touched, every one is still Python."""

import ast

import pytest

from tests.mutation.mutants import mutants
from tests.mutation.score import ROOT, TESTS, Tried, report


def changes(source):
    return {(m.kind, m.changed) for m in mutants("x.py", source)}


@pytest.mark.parametrize(
    ("source", "kind", "changed"),
    [
        ("def f(x):\n    if x:\n        return 5\n    g()\n", "drop a check", "def f(x):\n    pass\n    g()\n"),
        ("if a and b: c\n", "negate a condition", "if (not (a and b)): c\n"),
        ("a if b else c\n", "negate a condition", "a if (not (b)) else c\n"),
        ("x = not a\n", "drop a not", "x = (a)\n"),
        ("x = a and (b)\n", "change an operator", "x = a or (b)\n"),
        ("x = a < b\n", "change an operator", "x = a <= b\n"),
        ("x = (a) not in (b)\n", "change an operator", "x = (a) in (b)\n"),
        ("x = a <= b < c\n", "change an operator", "x = a <= b <= c\n"),
        ("x += a\n", "change an operator", "x -= a\n"),
        ("x = 0x10 & a\n", "change a constant", "x = 17 & a\n"),
        ("x = True\n", "change a constant", "x = False\n"),
        ("x = FAULT\n", "take another word", "x = HANDLED\n"),
        ("f(1 + a)\n", "drop a call", "pass\n"),
        ("a.b = c\n", "drop an assignment", "pass\n"),
        ("def f():\n    yield a\n    yield b\n", "drop a step", "def f():\n    pass\n    yield b\n"),
        ("def f():\n    yield a\n    x = yield b\n", "swap two steps", "def f():\n    x = yield b\n    yield a\n"),
        (
            "def f():\n    yield a\n    # between\n    yield from b\n",
            "swap two steps",
            "def f():\n    yield from b\n    # between\n    yield a\n",
        ),
    ],
)
def test_each_kind_of_change_is_made(source, kind, changed):
    assert (kind, changed) in changes(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""Text."""\n',
        'raise E(f"{a:#x} and {b + 1}")\n',
        "def __repr__(self):\n    return self.x and 1\n",
        "def f(x: Literal[0, 1] = y) -> T[0]: ...\n",
        "assert a is not b\n",
        "__all__ = [1]\n",
        "def f():\n    return\n    yield\n",
        "# if a: return b\n",
    ],
)
def test_texts_for_people_are_left_alone(source):
    assert changes(source) == set()


def test_a_step_that_needs_what_the_one_before_learnt_is_not_put_first():
    found = changes("def f():\n    a = yield x\n    yield a\n")
    assert {kind for kind, _ in found} == {"drop a step"}


def test_a_condition_is_negated_once():
    assert changes("if a is b: c\n") == {("change an operator", "if a is not b: c\n")}


@pytest.mark.parametrize("file", ["workbench/core/transition.py", "workbench/core/scenario.py"])
def test_every_change_of_a_file_is_python_and_a_change(file):
    source = (ROOT / file).read_text()
    unchanged = ast.dump(ast.parse(source))
    found = mutants(file, source)
    assert found
    assert len({m.changed for m in found}) == len(found)
    for mutant in found:
        assert ast.dump(ast.parse(mutant.changed)) != unchanged, mutant.diff()
        assert mutant.diff().startswith(f"--- {file}")


def test_files_and_their_tests_are_there():
    assert all((ROOT / name).exists() for file, tests in TESTS.items() for name in (file, *tests))


def test_the_report_counts_by_file_and_shows_what_survives():
    found = mutants("x.py", "a = 1\nb = c < d\n")
    text = report([Tried(found[0], True, 0.1), Tried(found[1], False, 0.1)], found)
    assert "| x.py | 2 | 2 | 1 | 50% |" in text
    assert "| all | 2 | 2 | 1 | 50.0% |" in text
    assert "-b = c < d\n+b = c <= d" in text
    assert "-a = 1" not in text
