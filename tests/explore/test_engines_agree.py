"""All engines see the same states, transitions, depth, verdicts and equally short traces."""

import importlib
import sys

import pytest
from hypothesis import given, settings

from benchmarks.models.generic import generic
from benchmarks.models.per_feature import per_feature
from workbench.checking.failures import FAILURES
from workbench.engines.explore import BOUNDED, Model, Property, Rule, Symmetry, explore
from workbench.errors import WorkbenchError
from workbench.measure.exploration.explore import Question, explore_question

from .engines import ENGINES, HERE, WITH_TABLES
from .random_models import models, symmetric_models
from .toys import counter, peterson, philosophers, two_phase_commit


@pytest.fixture(autouse=True, scope="module")
def know_little_beforehand():
    """Shorten the pilot search, so that the tables meet new values, variables and reads."""
    from workbench.engines.explore import api

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "PILOT", 20)
        yield


def seen(model, tables, **more):
    """What must be equal in all engines."""
    result = explore(model, tables=tables, **more)
    traces = {finding.code: finding.trace and len(finding.trace) for finding in result.findings}
    deadlock = None if result.deadlock is None else len(result.deadlock)
    return (
        result.states,
        result.transitions,
        result.depth,
        result.verdicts,
        result.hits,
        traces,
        result.deadlocks,
        deadlock,
    )


@pytest.mark.parametrize("tables", WITH_TABLES)
@given(model=models())
@settings(max_examples=150)
def test_random_models(tables, model):
    try:
        expected = seen(model, "python")
    except WorkbenchError:
        with pytest.raises(WorkbenchError):
            seen(model, tables)
    else:
        assert seen(model, tables) == expected


@pytest.mark.parametrize("tables", WITH_TABLES)
@given(model=symmetric_models())
@settings(max_examples=60)
def test_random_symmetric_models(tables, model):
    plain = explore(model, tables="python")
    reduced = explore(model, tables="python", symmetry=True)
    assert reduced.verdicts == plain.verdicts
    assert reduced.states <= plain.states
    assert bool(reduced.deadlocks) == bool(plain.deadlocks)
    assert seen(model, tables, symmetry=True) == seen(model, "python", symmetry=True)
    assert seen(model, tables) == seen(model, "python")


@pytest.mark.parametrize("tables", WITH_TABLES)
@pytest.mark.parametrize("model", [counter(3, False), peterson(), philosophers(4), two_phase_commit(3)])
def test_toys(tables, model):
    assert seen(model, tables) == seen(model, "python")
    if model.symmetry:
        assert seen(model, tables, symmetry=True) == seen(model, "python", symmetry=True)


@pytest.mark.parametrize("tables", ENGINES)
def test_reference_counts_of_the_generic_protocol(tables):
    result = explore(generic(2, 1), tables=tables)
    assert (result.states, result.transitions) == (48_301, 177_689)
    assert result.hits["ANY"] == 24_460
    assert result.verdicts == {"STALE": "HOLDS", "CORRUPT": "FAILS", "LOST": "FAILS", "ANY": "FAILS", "DONE": "HOLDS"}


@pytest.mark.parametrize("tables", WITH_TABLES)
def test_reference_counts_of_the_per_feature_protocol(tables):
    result = explore(per_feature(2, 2), tables=tables)
    assert (result.states, result.transitions) == (192_290, 1_097_120)
    assert result.hits["ANY"] == 93_885
    assert result.verdicts == {"CORRUPT": "FAILS", "LOST": "HOLDS", "ANY": "FAILS", "DONE": "HOLDS"}


@pytest.mark.parametrize("tables", ENGINES)
def test_reference_counts_under_symmetry(tables):
    result = explore(generic(2, 1), tables=tables, symmetry=True)
    assert result.states == 24_276
    assert result.verdicts["CORRUPT"] == "FAILS"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "size", "states", "transitions", "violating"),
    [
        (per_feature, (4, 1), 578_972, 3_872_242, 283_294),
        (generic, (3, 1), 2_124_410, 10_730_828, 1_128_133),
        (generic, (2, 2), 4_296_396, 22_298_378, 2_564_612),
    ],
)
@pytest.mark.parametrize("tables", WITH_TABLES)
def test_larger_reference_counts(tables, make, size, states, transitions, violating):
    result = explore(make(*size), tables=tables)
    assert (result.states, result.transitions, result.hits["ANY"]) == (states, transitions, violating)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "size", "states"),
    [(per_feature, (2, 2), 96_376), (per_feature, (4, 1), 31_604), (generic, (3, 1), 365_421)],
)
@pytest.mark.parametrize("tables", WITH_TABLES)
def test_larger_reference_counts_under_symmetry(tables, make, size, states):
    assert explore(make(*size), tables=tables, symmetry=True).states == states


def test_handing_over_between_engines(monkeypatch):
    """The model grows beyond what NumPy should do."""
    from workbench.engines.explore import api

    monkeypatch.setattr(api, "WORTH_NUMBA", 5_000)
    result = explore(generic(2, 1))
    assert result.engine == HERE[-1]
    assert seen(generic(2, 1), "auto") == seen(generic(2, 1), "numpy")
    assert seen(generic(2, 1), "auto", symmetry=True) == seen(generic(2, 1), "numpy", symmetry=True)
    assert explore(generic(2, 1), max_states=4_000).verdicts["STALE"] == BOUNDED
    assert explore(generic(2, 1), max_states=20_000).verdicts["STALE"] == BOUNDED


@pytest.mark.skipif(HERE[-1] != "numba", reason="numba is not installed (pip install '.[fast]')")
def test_what_a_process_did_before_changes_no_trace(monkeypatch):
    """Engines show different ones of equally short traces, and numba may be loaded already, by an earlier search."""
    name = "workbench.engines.explore.numba_search.engine"
    question = Question.of("generic", "crash", ["steal_time"], 2)

    def trace():
        (finding,) = explore_question(question, [FAILURES["F03"]]).result.findings
        return [str(step.step) for step in finding.trace.steps]

    importlib.import_module(name)
    after_another = trace()
    monkeypatch.delitem(sys.modules, name)
    assert trace() == after_another


def wide(count, size):
    """Independent counters: size ** count states in count * bits(size) bits."""

    def tick(name):
        def rule(view):
            if view[name] == size - 1:
                return False
            view[name] += 1
            return None

        return Rule(f"tick {name}", rule)

    return Model(
        dict.fromkeys(range(count), 0),
        [tick(name) for name in range(count)],
        properties=[Property("A", "", "always", lambda view: view[0] + view[count - 1] < 2 * size - 2)],
    )


@pytest.mark.parametrize("tables", WITH_TABLES)
def test_states_of_several_words(tables):
    flags = {("flag", number): 0 for number in range(70)}
    model = wide(4, 4)
    model.variables = {**model.variables, **flags}

    def shift(view):
        # one flag walks along 70 variables
        at = next((number for number in range(70) if view["flag", number]), None)
        view["flag", 0 if at is None else (at + 1) % 70] = 1
        if at is not None:
            view["flag", at] = 0

    model.rules = [*model.rules, Rule("shift", shift)]
    result = explore(model, tables=tables)
    assert result.states == 4**4 * 71
    assert seen(model, tables) == seen(model, "python")


@pytest.mark.parametrize("tables", WITH_TABLES)
def test_symmetry_of_states_of_several_words(tables):
    model = wide(3, 60)
    flags = {("flag", number): 0 for number in range(70)}
    model.variables = {**model.variables, **flags}

    def finish(name):
        def rule(view):
            if view[name] != 3 or any(view[flag] for flag in flags):
                return False
            for flag in flags:
                view[flag] = 1
            return None

        return Rule(f"finish {name}", rule)

    model.rules = [*model.rules, *(finish(name) for name in range(3))]
    model.properties = [Property("A", "", "always", lambda view: view[0] + view[1] + view[2] < 170)]
    model.symmetry = [Symmetry((0, 1, 2), lambda var, mapping: mapping.get(var, var))]
    result = explore(model, tables=tables, symmetry=True, max_states=8_000)
    assert result.states > 8_000
    model.rules = [Rule(rule.name, limited(rule)) if rule.name.startswith("tick") else rule for rule in model.rules]
    assert seen(model, tables, symmetry=True) == seen(model, "python", symmetry=True)


def limited(rule):
    """A counter of `wide` that stops at 8."""
    name = int(rule.name.split()[1])
    return lambda view: False if view[name] == 8 else rule.fn(view)


@pytest.mark.parametrize("tables", WITH_TABLES)
def test_domains_that_grow_while_packed(tables):
    model = wide(2, 100)
    assert seen(model, tables) == seen(model, "python")


@pytest.mark.parametrize("tables", WITH_TABLES)
def test_variables_that_appear_while_packed(tables):
    def grow(view):
        if view["n"] == 90:
            return False
        view["word", view["n"]] = view["n"] % 3
        view["n"] += 1
        return None

    model = Model(
        {"n": 0, "m": 0},
        [Rule("grow", grow), Rule("flip", lambda view: view.__setitem__("m", 1 - view["m"]))],
        default=lambda var: 0,
    )
    assert explore(model, tables=tables).states == 182
    assert seen(model, tables) == seen(model, "python")


@pytest.mark.parametrize("tables", WITH_TABLES)
@pytest.mark.parametrize("verdict", [True, False])
def test_an_ending_predicate_that_asks_for_something_new(tables, verdict):
    model = wide(3, 9)
    model.default = lambda var: 0
    model.ending = lambda view: (view["late", 1] + view["late", 2] == 0) is verdict
    assert explore(model, tables=tables).deadlocks == (0 if verdict else 1)
    assert seen(model, tables) == seen(model, "python")


@pytest.mark.parametrize("tables", ENGINES)
def test_limits_are_bounded_and_never_hold(tables):
    model = wide(4, 12)
    result = explore(model, tables=tables, max_states=5000)
    assert result.verdicts == {"A": BOUNDED}
    assert result.verdict == BOUNDED
    assert 5000 < result.states < 12**4
    assert explore(model, tables=tables, max_bytes=60_000).verdicts == {"A": BOUNDED}
    assert explore(model, tables=tables, max_states=12**4).verdicts == {"A": "FAILS"}


@pytest.mark.parametrize("tables", ENGINES)
def test_interrupting_keeps_what_was_seen(tables):
    def impatient(progress):
        if progress.states > 3000:
            raise KeyboardInterrupt

    from workbench.engines.explore import search

    every, search.PROGRESS_EVERY = search.PROGRESS_EVERY, 0.0
    try:
        result = explore(wide(4, 12), tables=tables, progress=impatient)
    finally:
        search.PROGRESS_EVERY = every
    assert result.limit == "interrupted"
    assert result.verdicts == {"A": BOUNDED}
    assert result.states > 3000


@pytest.mark.parametrize("tables", ENGINES)
def test_a_false_claim_of_symmetry_is_refused(tables):
    model = wide(2, 3)
    model.properties = ()
    model.rules = model.rules[:1]
    model.symmetry = [Symmetry((0, 1), lambda var, mapping: mapping[var])]
    with pytest.raises(WorkbenchError, match="not symmetric: exchanging slots changes what can happen next"):
        explore(model, tables=tables, symmetry=True)


def test_symmetry_must_be_declared():
    with pytest.raises(WorkbenchError, match="declares no interchangeable slots"):
        explore(wide(2, 2), symmetry=True)


@pytest.mark.parametrize("tables", WITH_TABLES)
def test_the_same_search_gives_the_same_trace(tables):
    traces = [[finding.as_json() for finding in explore(generic(2, 1), tables=tables).findings] for _ in range(2)]
    assert traces[0] == traces[1]
