"""The exported text: the same states, transitions and violating states under SPIN."""

import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.models.generic import generic
from workbench.engines.explore import Model, Property, Rule, crosscheck, explore, run_spin, to_promela
from workbench.errors import EngineError, WorkbenchError

from .random_models import models
from .toys import counter, peterson, philosophers, two_phase_commit


def swap_and_mark(view):
    """Two parts that read what the other writes: both must see the values from before the step."""
    if view["marked"] == 2:
        return False
    view["marked"] += 1
    view.part(copy, "a", "b")
    view.part(copy, "b", "a")
    view.part(copy, "c", "marked")
    return None


def copy(view, target, source):
    view[target] = view[source]


def swapping():
    return Model(
        {"a": 1, "b": 2, "c": 0, "marked": 0},
        [Rule("swap", swap_and_mark)],
        properties=[
            Property("A", "swapped", "sometimes", lambda view: (view["a"], view["b"]) == (2, 1)),
            Property("B", "c lags", "always", lambda view: view["c"] in (0, view["marked"] - 1)),
        ],
    )


@pytest.mark.spin
@pytest.mark.parametrize(
    "model",
    [
        counter(2, lock=False),
        counter(3, lock=True),
        peterson(),
        peterson(True),
        philosophers(3),
        two_phase_commit(3),
        swapping(),
        generic(2, 1),
    ],
    ids=["counter", "locked", "peterson", "broken", "philosophers", "commit", "parts", "generic"],
)
def test_spin_agrees(model):
    opinion = crosscheck(model)
    assert opinion.agrees, opinion


@pytest.mark.spin
@given(model=models())
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
def test_spin_agrees_on_random_models(model):
    model.properties = model.properties[:1]
    opinion = crosscheck(model)
    assert opinion.agrees, opinion


@pytest.mark.spin
@pytest.mark.parametrize(
    "model",
    [pytest.param(peterson(True), marks=pytest.mark.slow), pytest.param(two_phase_commit(3), marks=pytest.mark.slow)],
    ids=["broken", "commit"],
)
def test_states_counted_in_one_run_are_those_asserted_one_property_at_a_time(model):
    text = to_promela(model)
    counted = run_spin(text, count=True)
    asserted = [run_spin(text, prop=number) for number, _ in enumerate(model.properties, 1)]
    assert counted.met == tuple(run.errors for run in asserted)
    assert any(counted.met)
    plain = run_spin(text)
    assert (counted.states, counted.transitions) == (plain.states, plain.transitions)


@pytest.mark.spin
def test_what_spin_refuses_is_said_in_one_line():
    said = r"^spin failed: spin: model.pml:1, Error: undeclared variable: nonsense .*$"
    with pytest.raises(EngineError, match=said) as raised:
        run_spin("active proctype p() { nonsense nonsense }")
    assert "\n" not in str(raised.value)


def test_parts_see_the_state_before_the_step():
    result = explore(swapping())
    assert result.verdicts == {"A": "HOLDS", "B": "HOLDS"}


def test_only_complete_searches_are_exported():
    with pytest.raises(WorkbenchError, match=r"cannot export .* \(limit of 100 states\)"):
        to_promela(generic(2, 1), max_states=100)


@pytest.mark.spin
def test_a_disagreement_would_show():
    text = to_promela(counter(2, lock=False))
    loop = "active proctype model() {\ndo\n"
    changed = text.replace(loop, loop + ":: d_step { v2_n == 2 -> v2_n = 0; }\n", 1)
    assert changed != text
    assert run_spin(text).states == 12
    assert run_spin(changed).states > 12


def test_the_text_names_values_steps_and_properties():
    text = to_promela(peterson())
    assert "-DPROP=1: MUTEX (always) never both inside" in text
    assert "p0/1 ('write', 'turn', 1)" in text


def test_a_step_that_reads_a_thousand_variables_is_explored_and_its_text_refused():
    """A long restore does so; the trees of what steps read are then as deep."""
    count = 1500
    unset = Property("P", "none is set", "always", lambda view: not any(view["many", n] for n in range(count)))
    variables = {("many", number): 0 for number in range(count)}
    many = Model(variables, [Rule("never", lambda view: False)], properties=[unset])
    for tables in ("numpy", "python"):
        result = explore(many, tables=tables)
        assert (result.verdicts, result.states) == ({"P": "HOLDS"}, 1)
    with pytest.raises(WorkbenchError, match="nested deeper than SPIN reads; export it with fewer"):
        to_promela(many)
