"""However many threads share a search: the same counts, verdicts, deadlocks and traces, step by step."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

pytest.importorskip("numba", reason="numba is not installed (pip install '.[fast]')")

from benchmarks.models.generic import generic
from benchmarks.models.per_feature import per_feature
from workbench.engines.explore import BOUNDED, Model, Property, Rule, api, explore, search
from workbench.engines.explore.numba_search import crew, engine, loops, memory, visited

from .random_models import models, symmetric_models
from .toys import philosophers, two_phase_commit

THREADS = (1, 2, 3, 4)


@pytest.fixture(autouse=True, scope="module")
def share_little() -> Iterator[None]:
    """Make the pilot short, share out every level, a few states at a time, and let the set grow early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "PILOT", 20)
        patch.setattr(engine, "FEW", 0)
        patch.setattr(loops, "ITEM", 8)
        patch.setattr(visited, "SMALLEST", 10)
        yield


def everything(model: Model, threads: int, **options: Any) -> Any:
    """All that a search tells, its traces with every step."""
    result = explore(model, tables="numba", jobs=threads, **options)
    assert result.engine in ("numba", "python")
    told = [finding.as_json() for finding in result.findings]
    deadlock = None if result.deadlock is None else result.deadlock.as_json()
    counts = result.states, result.transitions, result.depth, result.hits, result.premises, result.deadlocks
    return counts, result.verdicts, told, deadlock, result.stored, result.limit


@given(model=models())
@settings(max_examples=60)
def test_random_models(model: Model) -> None:
    try:
        expected = everything(model, 1)
    except api.WorkbenchError as error:
        for threads in THREADS[1:]:
            with pytest.raises(type(error)):
                everything(model, threads)
    else:
        assert [everything(model, threads) for threads in THREADS[1:]] == [expected] * 3


@given(model=symmetric_models())
@settings(max_examples=25)
def test_random_symmetric_models(model: Model) -> None:
    expected = everything(model, 1, symmetry=True)
    assert [everything(model, threads, symmetry=True) for threads in THREADS[1:]] == [expected] * 3


@pytest.mark.parametrize("model", [philosophers(4), two_phase_commit(3), generic(2, 1)], ids=["phil", "2pc", "G-2-1"])
def test_models(model: Model) -> None:
    expected = everything(model, 1)
    assert [everything(model, threads) for threads in THREADS[1:]] == [expected] * 3


@pytest.mark.parametrize("threads", THREADS)
def test_golden_counts(threads: int) -> None:
    result = explore(per_feature(2, 2), tables="numba", jobs=threads)
    assert (result.states, result.transitions, result.hits["ANY"]) == (192_290, 1_097_120, 93_885)
    result = explore(generic(2, 1), tables="numba", jobs=threads, symmetry=True)
    assert (result.states, result.verdicts["CORRUPT"]) == (24_276, "FAILS")


def counters(names: str, size: int, steps: tuple[int, ...] = (1,)) -> Model:
    """Counters that grow: their values, and so the bits of a state, are found while the search goes on."""

    def grows(name: str, step: int) -> Rule:
        def rule(view: Any) -> bool | None:
            if view[name] + step >= size:
                return False
            view[name] += step
            return None

        return Rule(f"{name} + {step}", rule)

    rules = [grows(name, step) for name in names for step in steps]
    below = Property("A", "", "always", lambda view: sum(view[name] for name in names) < len(names) * (size - 2))
    return Model(dict.fromkeys(names, 0), rules, properties=[below])


@pytest.mark.parametrize("model", [counters("abc", 25), counters("ab", 90, (1, 7))], ids=["three", "two"])
def test_values_that_are_found_while_threads_work(model: Model) -> None:
    expected = everything(model, 1)
    assert expected[0][0] == explore(model, tables="python").states
    assert [everything(model, threads) for threads in THREADS[1:]] == [expected] * 3


def test_states_of_several_words() -> None:
    """Words that are stored after a slot is claimed."""
    wide = counters("abcd", 7)
    wide.variables = {**wide.variables, **{f"w{number}": 0 for number in range(8)}}

    def writes(number: int) -> Rule:
        return Rule(f"w{number}", lambda view: view.__setitem__(f"w{number}", (view["a"] * 977 + view["b"]) % 8192))

    wide.rules = [*wide.rules, writes(0)]
    expected = everything(wide, 1)
    assert expected[4] > 16 * expected[0][0]  # bytes: two words and more
    for _ in range(3):
        assert [everything(wide, threads) for threads in THREADS[1:]] == [expected] * 3


@pytest.mark.parametrize("most", [500, 3_000])
def test_a_limit_of_states_stops_all_after_the_same_level(most: int) -> None:
    model = counters("abc", 40)
    expected = everything(model, 1, max_states=most)
    assert expected[0][0] > most
    assert expected[1] == {"A": BOUNDED}
    assert [everything(model, threads, max_states=most) for threads in THREADS[1:]] == [expected] * 3


@pytest.mark.parametrize("threads", [1, 4])
def test_ctrl_c_stops_all_threads_and_is_no_result(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(progress: search.Progress) -> None:
        if progress.states > 3000:
            raise KeyboardInterrupt

    monkeypatch.setattr(crew, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(search, "PROGRESS_EVERY", 0.0)
    result = explore(counters("abc", 40), tables="numba", jobs=threads, progress=impatient)
    assert result.limit == "interrupted"
    assert result.verdicts == {"A": BOUNDED}
    assert 3000 < result.states < 40**3


def test_memory_is_kept_for_the_next_search_but_never_shared() -> None:
    gc.collect()  # what other tests have left gives its memory back
    memory.forget()
    first = explore(generic(2, 1), tables="numba")
    told = first.witness("CORRUPT")
    second = explore(per_feature(2, 2), tables="numba")  # would overwrite the levels of the first
    assert second.states == 192_290
    assert first.witness("CORRUPT") == told
    assert not memory._blocks
    assert len(memory._sets) == 1
    del first
    assert len(memory._blocks) == 1  # at once, not when garbage is collected


def test_other_processors_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert crew.most_threads(4) == 4
    monkeypatch.setattr(crew.platform, "machine", lambda: "aarch64")
    assert crew.most_threads(4) == 1
