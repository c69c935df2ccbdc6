"""Positions of generators: which are distinguished, which are merged, which are refused with a clear error."""

import itertools
import random
from typing import NamedTuple

import pytest

from workbench.engines.explore import Model, Program, Property, Rule, explore
from workbench.engines.explore.positions.positions import Positions
from workbench.errors import WorkbenchError

from .toys import program_model, shared_memory


def explore_one(make, **more):
    return explore(program_model([make], {"x": 0}, **more))


def positions_of(make, answers=lambda step: [None]):
    """All positions of one program when every step may get any of the given answers."""
    positions = Positions({"p": Program("p", make)}, 1000)
    waiting = [positions.start("p")]
    while waiting:
        at = waiting.pop()
        before = len(positions.table["p"])
        for answer in answers(positions.step(at)) if at else []:
            positions.advance(at, answer)
        waiting += [("p", index) for index in range(before, len(positions.table["p"]))]
    return positions.table["p"]


class Left(NamedTuple):
    number: int


class Right(NamedTuple):
    number: int


def test_labels_that_differ_in_type_only_are_not_taken_for_one():
    """A rule that depends on another slot's pending step; the two steps are equal to Python."""

    def walker():
        yield Left(1)
        yield Right(1)

    def turned_right(view):
        if type(view.label("walker")) is not Right:
            return False
        view["x"] = 1
        return None

    def model():
        return Model(
            variables={"x": 0},
            slots={"walker": "walker"},
            programs={"walker": Program("walker", walker)},
            semantics=lambda slot, step, view: None,
            rules=[Rule("turned right", turned_right)],
            properties=[Property("S", "seen", "sometimes", lambda view: view["x"] == 1)],
        )

    for tables in ("python", "numpy"):
        result = explore(model(), tables=tables)
        assert (result.verdict, result.states) == ("HOLDS", 5)


def test_an_iterator_that_only_lives_on_the_stack_tells_positions_apart():
    def run():
        for _ in (1, 1, 1):
            yield "same"

    assert len(positions_of(run)) == 3


def test_an_intermediate_value_on_the_stack_tells_positions_apart():
    def run():
        total = (yield "first") + (yield "second")
        del total
        yield "last"

    # after "first" the answer waits on the stack for its addition
    assert len(positions_of(run, lambda step: [1, 2])) == 1 + 2 + 1


def test_an_endless_loop_with_equal_positions_merges():
    def run():
        while True:
            yield "tick"
            yield "tock"

    assert len(positions_of(run)) == 2


def test_a_loop_that_makes_a_new_object_each_time_merges():
    class Cursor:
        def __init__(self):
            self.at = [0]

    def run():
        while True:
            cursor = Cursor()
            yield "look"
            del cursor

    assert len(positions_of(run)) == 1


def test_contents_of_a_mutable_local_tell_positions_apart():
    def run():
        seen = []
        for _ in itertools.repeat(None, 3):
            seen.append((yield "ask"))

    assert len(positions_of(run, lambda step: ["a", "b"])) == 1 + 2 + 4


def test_objects_without_contents_are_told_apart_by_identity():
    class Sentinel:
        pass

    first, second = Sentinel(), Sentinel()

    def run():
        chosen = first if (yield "choose") else second
        yield "then"
        yield "one" if chosen is first else "two"

    assert len(positions_of(run, lambda step: [True, False])) == 1 + 2 + 2


def test_a_driver_that_holds_its_guest_in_a_local():
    def guest():
        for number in range(3):
            yield ("guest", number)

    def driver():
        program, answer = guest(), None
        while True:
            try:
                step = program.send(answer)
            except StopIteration:
                return
            del answer
            answer = yield step
            step = None

    assert [place.step for place in positions_of(driver)] == [("guest", 0), ("guest", 1), ("guest", 2)]


def test_yield_from_looks_into_the_inner_generator():
    def inner(count):
        for _ in range(count):
            yield "inner"

    def outer():
        yield from inner(2)
        yield from inner(2)

    assert len(positions_of(outer)) == 4


def test_positions_merge_when_the_answer_is_forgotten():
    def run():
        yield "ask"
        yield "go on"

    assert len(positions_of(run, lambda step: range(10))) == 2


def test_what_cannot_be_described_falls_back_to_the_history():
    def run():
        handle = memoryview(bytearray(b"x"))  # hashable only when read-only, no contents to compare
        yield "a"
        yield "b"
        handle.release()

    assert len(positions_of(run, lambda step: [1, 2])) == 1 + 2


def test_a_program_is_not_run_again_for_what_is_known():
    calls = []

    def run():
        calls.append(1)
        for _ in range(3):
            yield ("write", "x", 1)

    model = program_model([run], {"x": 0, "y": 0})
    model.rules = [Rule("flip", lambda view: view.__setitem__("y", 1 - view["y"]))]
    result = explore(model)
    assert result.states == 2 * (4 + 1) - 2
    assert len(calls) == 2


def test_a_program_that_never_ends_is_named_with_the_local_that_differs():
    def run():
        number = 0
        while True:
            number += 1
            yield ("read", "x")

    with pytest.raises(WorkbenchError, match=r"program p0 never ends: more than 50 positions.*'read'.*number"):
        explore_one(run, max_positions=50)


def test_another_step_on_replay_is_named():
    def run():
        while True:
            yield ("write", "x", random.random())

    with pytest.raises(WorkbenchError, match="program p0 is not deterministic"):
        explore_one(run)


def test_a_program_that_changes_between_replays_is_found():
    runs = []

    def run():
        runs.append(1)
        yield ("read", "y")
        yield ("read", "x" if len(runs) < 3 else "y")
        yield ("read", "x")

    model = program_model([run], {"x": 0, "y": 0})
    model.rules = [Rule("flip", lambda view: view.__setitem__("x", 1 - view["x"]))]
    with pytest.raises(
        WorkbenchError, match=r"it yielded \('read', 'x'\), and on replay with the same answers yielded"
    ):
        explore(model)


def test_an_unhashable_step_is_named():
    def run():
        yield ["write", "x", 1]

    with pytest.raises(WorkbenchError, match=r"run: yielded \['write', 'x', 1\], which holds a list"):
        explore_one(run)


def test_an_unhashable_answer_is_named():
    def run():
        yield "give"

    model = program_model([run], {})
    model.semantics = lambda slot, step, view: []
    with pytest.raises(WorkbenchError, match=r"program p0, step 'give': the answer \[\] is not hashable"):
        explore(model)


def test_a_program_that_raises_is_named_with_its_step():
    def run():
        yield ("read", "x")
        raise ValueError("broken")

    with pytest.raises(WorkbenchError, match=r"p0 raised ValueError: broken \(.*:\d+\) after step \('read', 'x'\)"):
        explore_one(run)


def test_make_must_give_a_generator():
    with pytest.raises(WorkbenchError, match=r"program p0: make\(\) returned a list, not a generator"):
        explore_one(lambda: [("read", "x")])


def test_a_program_without_steps_is_idle_at_once():
    def run():
        return
        yield

    result = explore_one(run)
    assert (result.states, result.deadlocks) == (1, 0)


def write_then_refuse(view):
    view["x"] = 1
    return False


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            Model({"x": 0}, [Rule("r", write_then_refuse)]),
            r"rule r wrote to the state but returned False \(not enabled\)",
        ),
        (Model({"x": 0}, [Rule("r", lambda view: view["y"])]), "r: no variable 'y'"),
        (Model({"x": []}), r"the initial value \[\] of 'x' is not hashable"),
        (Model({"x": 0}, [Rule("r", lambda view: view.__setitem__("x", []))]), r"r: the value \[\] of 'x'"),
        (Model({}, [Rule("r", lambda view: False)] * 2), "two rule entries are called 'r'"),
        (Model({}, [Rule("r", lambda view: view.start("s9", "p"))]), "r: no slot 's9'"),
        (Model({}, slots={"s0": "p9"}, semantics=shared_memory), "slot s0: no program 'p9'; programs: none"),
        (Model({}, slots={"s0": None}), "slots but no semantics"),
        (
            Model({"x": 0}, properties=[Property("A", "", "always", lambda view: view.__setitem__("x", 1))]),
            "property A wrote to the state",
        ),
    ],
)
def test_mistakes_in_a_model_are_named(model, message):
    with pytest.raises(WorkbenchError, match=message):
        explore(model)


def test_an_unknown_kind_of_property_is_refused():
    with pytest.raises(WorkbenchError, match="kind 'never' is not one of always, sometimes"):
        Property("A", "", "never", lambda view: True)


def test_unknown_tables_are_refused():
    with pytest.raises(WorkbenchError, match="tables: 'fast' is not one of auto, python, numpy, numba"):
        explore(Model(), tables="fast")


def test_variables_may_appear_later_with_their_default():
    def grow(view):
        if view["n"] == 3:
            return False
        view["word", view["n"]] = view.get(("word", view["n"])) + 1
        view["n"] += 1
        return None

    model = Model(
        {"n": 0},
        [Rule("grow", grow)],
        default=lambda var: 7,
        properties=[Property("A", "not yet", "always", lambda view: view.get(("word", 2)) == 7)],
    )
    result = explore(model)
    assert result.states == 4
    assert result.findings[0].trace.steps[-1].changes == {("word", 2): (7, 8), "n": (2, 3)}


def add_one(view, name):
    view[name] += 1


def test_parts_happen_in_the_same_step():
    def both(view):
        if view["a"] > 0:
            return False
        view.part(add_one, "a")
        view.part(add_one, "b")
        return None

    result = explore(Model({"a": 0, "b": 0}, [Rule("both", both)]))
    assert (result.states, result.transitions) == (2, 1)


def test_two_parts_may_not_write_the_same_variable():
    def twice(view):
        view.part(add_one, "a")
        view["a"] = 5

    with pytest.raises(WorkbenchError, match="'a' is written twice in one step"):
        explore(Model({"a": 0}, [Rule("twice", twice)]))
