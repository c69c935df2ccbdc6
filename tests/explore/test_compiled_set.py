"""The compiled set of visited states: every state is found again after the set has grown in place."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="numba is not installed (pip install '.[fast]')")

from workbench.engines.explore.numba_search import compiling, state_set
from workbench.engines.explore.numba_search.state_set import OUT, TOTAL, insert, rehash, stretch

OLDER, BLOCK, LOW = 13, 1 << 10, 4 << 10


def _grown(states: np.ndarray, bits: int) -> tuple[bool, np.ndarray]:
    """A set of 2**OLDER slots with these states, grown in place to 2**bits slots."""
    words = states.shape[1]
    memory, span = np.zeros((1 << bits, words), np.uint64), (0,) * words
    rehash(states, memory[: 1 << OLDER], OLDER, span)
    room = np.empty((BLOCK + LOW, words), np.uint64)
    return stretch(memory, OLDER, bits, room[BLOCK:], room[:BLOCK], span), memory


def _missing(states: np.ndarray, visited: np.ndarray, bits: int) -> int:
    """How many of the states the set does not know."""
    words = states.shape[1]
    counters, out = np.zeros(5, np.int64), np.empty((len(states), words), np.uint64)
    insert(states.copy(), len(states), visited, bits, out, counters, (0,) * words)
    assert counters[OUT] == counters[TOTAL]
    return int(counters[TOTAL])


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    share=st.floats(0, 0.7),
    words=st.integers(1, 2),
    bits=st.sampled_from([14, 15, 16]),
    below=st.sampled_from([2**20, 2**40, 2**63]),
)
def test_a_set_that_grew_in_place_holds_what_it_held(
    seed: int, share: float, words: int, bits: int, below: int
) -> None:
    drawn = np.random.default_rng(seed).integers(0, below, (int(share * (1 << OLDER)), words)).astype(np.uint64)
    states = np.unique(drawn, axis=0)
    went_well, visited = _grown(states, bits)
    assert went_well
    assert np.count_nonzero(visited[:, 0]) == len(states)
    assert _missing(states, visited, bits) == 0


def _at(places: np.ndarray) -> np.ndarray:
    """Different states with these home slots before the set grows."""
    inverse, found = pow(int(state_set.SPREAD), -1, 1 << 64), []
    for number, place in enumerate(places.tolist()):
        rest = number << 8  # two neighbours in `rest` differ in the mark
        marked = next(
            value
            for more in range(1 << 8)
            if (value := ((place << 64 - OLDER) + rest + more) * inverse % (1 << 64)) >> 63
        )
        found.append(marked)
    return np.array(found, np.uint64).reshape(-1, 1) & ~state_set.TAG


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    crowds=st.lists(st.tuples(st.integers(0, 2**OLDER - 1), st.integers(1, 3000)), max_size=4),
    others=st.integers(0, 3000),
)
def test_crowds_are_moved_or_noticed(seed: int, crowds: list[tuple[int, int]], others: int) -> None:
    """Thousands of states share a home slot and lie far behind it, among other states at their own home slots."""
    draw = np.random.default_rng(seed)
    places = [draw.integers(0, 1 << OLDER, others), *(np.full(size, place) for place, size in crowds)]
    mixed = draw.permutation(np.concatenate(places))[: int(0.7 * (1 << OLDER))]
    states = _at(mixed)
    went_well, visited = _grown(states, 14)
    assert not went_well or _missing(states, visited, 14) == 0


def test_a_crowd_too_far_behind_its_place_is_noticed() -> None:
    went_well, _ = _grown(_at(np.full(5600, 2500)), 14)
    assert not went_well


def test_compiled_loops_are_kept_apart_when_any_of_their_files_changes(tmp_path: Path) -> None:
    here = Path(compiling.__file__).parent
    for name in compiling.SOURCES:
        shutil.copy(here / name, tmp_path)
    names = {compiling.cache_directory(tmp_path).name}
    assert names == {Path(compiling.DIRECTORY).name}
    for name in compiling.SOURCES:
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        names.add(compiling.cache_directory(tmp_path).name)
    assert len(names) == 1 + len(compiling.SOURCES)


def test_every_file_with_a_loop_is_watched() -> None:
    here = Path(compiling.__file__).parent
    with_loops = {path.name for path in here.glob("*.py") if "@loop(" in path.read_text(encoding="utf-8")}
    assert with_loops | {"compiling.py"} == set(compiling.SOURCES)
