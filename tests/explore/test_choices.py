"""Steps that offer a choice of steps, any of which may be taken next."""

import pytest

from workbench.engines.explore import Model, Program, Property, explore
from workbench.errors import WorkbenchError

from .engines import ENGINES

LETTERS = "abc"


def any_order(letters=LETTERS, choices=3):
    """A slot that appends each letter to a word once, in any order; never the last one first."""

    def run():
        left = letters
        while len(left) > 1:
            left = left.replace((yield ("one of", left)), "")
        yield left

    def semantics(slot, step, view):
        view["word"] = view["word"] + step

    return Model(
        {"word": ""},
        slots={"s": "p"},
        programs={"p": Program("p", run)},
        semantics=semantics,
        properties=[Property("N", "not cab", "always", lambda view: view["word"] != "cab")],
        alternatives=lambda step: tuple(step[1]) if type(step) is tuple else None,
        choices={"s": choices},
    )


@pytest.mark.parametrize("tables", ENGINES)
def test_every_order_is_taken_and_no_step_twice(tables):
    result = explore(any_order(), tables=tables)
    # words of distinct letters: 1 + 3 + 3*2 + 3*2*1
    assert (result.states, result.transitions, result.depth) == (16, 15, 3)
    assert result.deadlocks == 0
    assert [(step.actor, step.step) for step in result.findings[0].trace.steps] == [("s", "c"), ("s", "a"), ("s", "b")]


def test_more_alternatives_than_the_model_allows_are_an_error():
    with pytest.raises(WorkbenchError, match=r"slot s: .* offers 3 alternatives; allowed are 2"):
        explore(any_order(choices=2))
