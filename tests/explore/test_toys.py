"""Models whose numbers of states are known or can be counted by hand."""

import pytest

from workbench.engines.explore import BOUNDED, FAILS, HOLDS, Model, Property, Rule, explore

from .toys import counter, diamond, peterson, philosophers, program_model, two_phase_commit


def test_lost_update_is_found_by_the_shortest_trace():
    result = explore(counter(2, lock=False))
    assert result.verdicts == {"N": FAILS}
    trace = result.findings[0].trace
    assert [(step.actor, step.step) for step in trace.steps] == [
        ("s0", ("read", "n")),
        ("s1", ("read", "n")),
        ("s0", ("write", "n", 1)),
        ("s1", ("write", "n", 1)),
    ]
    assert trace.steps[2].changes == {"n": (0, 1)}
    assert trace.steps[3].changes == {}


def test_counter_without_lock_has_the_states_counted_by_hand():
    # Positions read/write/done of two workers with the value read; n. Before any write n=0: 4 states;
    # one wrote (n=1) while the other had not read, had read 0, or has read 1: 2*3; both done: n=1, n=2.
    result = explore(counter(2, lock=False))
    assert (result.states, result.depth, result.deadlocks) == (12, 4, 0)


def test_a_lock_keeps_the_counter_right():
    result = explore(counter(3, lock=True))
    assert result.verdict == HOLDS
    assert result.deadlocks == 0


def test_peterson_excludes_and_lets_in():
    result = explore(peterson())
    assert result.verdicts == {"MUTEX": HOLDS, "ENTER": HOLDS}
    assert result.deadlocks == 0
    assert result.witness("ENTER").steps[-1].changes == {"in1": (False, True)}


def test_peterson_with_swapped_writes_lets_both_in():
    result = explore(peterson(set_turn_first=True))
    assert result.verdicts["MUTEX"] == FAILS
    last = result.findings[0].trace.steps[-1]
    assert last.changes in ({"in0": (False, True)}, {"in1": (False, True)})


def test_two_phase_commit_has_288_states():
    result = explore(two_phase_commit(3))
    assert result.states == 288
    assert result.verdicts == {"C": HOLDS, "S": HOLDS}


def test_two_phase_commit_with_symmetry_has_80_states():
    result = explore(two_phase_commit(3), symmetry=True)
    assert (result.states, result.stands_for) == (80, 288)
    assert result.verdicts == {"C": HOLDS, "S": HOLDS}


def test_diamond_counts():
    result = explore(diamond())
    assert (result.states, result.transitions, result.depth) == (4, 4, 2)


def test_without_slots_the_state_where_nothing_can_happen_is_a_deadlock():
    result = explore(diamond())
    assert (result.deadlocks, len(result.deadlock)) == (1, 2)
    ending = diamond()
    ending.ending = lambda view: view["a"] and view["b"]
    assert explore(ending).deadlocks == 0


@pytest.mark.parametrize("count", [2, 3, 4])
def test_philosophers_deadlock_after_one_fork_each(count):
    result = explore(philosophers(count))
    assert result.deadlocks == 1
    assert [step.step[0] for step in result.deadlock.steps] == ["take"] * count


def test_one_left_handed_philosopher_prevents_the_deadlock():
    assert explore(philosophers(3, left_handed=True)).deadlocks == 0


def test_a_model_that_does_nothing_fails_what_must_happen():
    model = Model(
        {"x": 0},
        properties=[
            Property("S", "x moves", "sometimes", lambda view: view["x"] > 0),
            Property("A", "x stays small", "always", lambda view: view["x"] < 9),
        ],
    )
    result = explore(model)
    assert (result.states, result.transitions, result.verdicts) == (1, 0, {"S": FAILS, "A": HOLDS})
    assert result.findings[0].trace is None


def test_a_violation_in_the_initial_state_has_a_trace_without_steps():
    model = Model({"x": 0}, properties=[Property("A", "x is not 0", "always", lambda view: view["x"] != 0)])
    assert len(explore(model).findings[0].trace) == 0


def _climb(view):
    view["n"] += 1


def climbing(limit=50):
    """A counter that increases for ever."""
    return Model(
        {"n": 0},
        [Rule("climb", _climb)],
        properties=[
            Property("A", "below the limit", "always", lambda view: view["n"] < limit),
            Property("B", "not negative", "always", lambda view: view["n"] >= 0),
            Property("S", "goes below 0", "sometimes", lambda view: view["n"] < 0),
        ],
    )


def test_a_limit_is_bounded_and_never_holds():
    result = explore(climbing(), max_states=20)
    assert result.verdicts == {"A": BOUNDED, "B": BOUNDED, "S": BOUNDED}
    assert result.verdict == BOUNDED
    assert "20 states" in result.limit


def test_a_violation_before_the_limit_is_kept():
    result = explore(climbing(), max_states=200)
    assert result.verdicts == {"A": FAILS, "B": BOUNDED, "S": BOUNDED}
    assert len(result.findings[0].trace) == 50


def test_stopping_at_the_first_finding_leaves_the_rest_open():
    result = explore(climbing(), stop_at_first=True)
    assert result.verdicts == {"A": FAILS, "B": BOUNDED, "S": BOUNDED}
    assert result.states < 60


def test_bytes_are_a_limit_too():
    assert "bytes" in explore(climbing(10**9), max_bytes=100_000).limit


def test_a_limit_that_is_just_enough_is_no_limit():
    assert explore(diamond(), max_states=4).limit is None


def test_interrupting_gives_what_was_seen():
    def impatient(progress):
        raise KeyboardInterrupt

    result = explore(climbing(10**9), progress=impatient)
    assert result.limit == "interrupted"
    assert result.states > 1
    assert result.verdicts["A"] == BOUNDED


def test_json_of_a_result_is_complete():
    data = explore(counter(2, lock=False)).as_json()
    assert data["findings"][0]["steps"][2] == {
        "actor": "s0",
        "step": "('write', 'n', 1)",
        "changes": {"n": [0, 1]},
    }
    assert (data["states"], data["verdict"]) == (12, "FAILS")


def test_a_slot_can_start_and_stop_another():
    def boss():
        yield ("start",)
        yield ("stop",)

    def worker():
        while True:
            yield ("work",)

    def semantics(slot, step, view):
        if step == ("start",):
            view.start("s1", "worker")
        elif step == ("stop",):
            view.stop("s1")
        else:
            view["worked"] = True

    model = program_model([boss], {"worked": False})
    from workbench.engines.explore import Program

    model.programs = {**model.programs, "worker": Program("worker", worker)}
    model.slots = {**model.slots, "s1": None}
    model.semantics = semantics
    result = explore(model)
    # (boss at start, no worker), (worker runs, has worked or not), (worker stopped, has worked or not)
    assert (result.states, result.deadlocks) == (5, 0)
    model.properties = [Property("W", "never works", "always", lambda view: not view["worked"])]
    steps = explore(model).findings[0].trace.steps
    assert [step.step for step in steps] == [("start",), ("work",)]
    assert str(list(steps[0].changes.items())) == "[(slot s1, (None, ('work',)))]"
