"""The compiled set of visited states: every state is found again after the set has grown in place."""

import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="numba is not installed (pip install '.[fast]')")

import numba

from workbench.engines.explore.numba_search import compiling, state_set
from workbench.engines.explore.numba_search.state_set import OUT, PART_BITS, PARTS, insert
from workbench.engines.explore.numba_search.visited import Visited

OLDER = 13  # log2 of the slots of each part before they grow; with fewer, a set is rebuilt


@numba.njit
def _hashes(states, span):
    hashes = np.empty(len(states), np.uint64)
    for index in range(len(states)):
        hashes[index] = state_set.hash_of(states, index, span)
    return hashes


def _filled(states: np.ndarray) -> Visited:
    """A set of 2**OLDER slots in each part with these states."""
    found = Visited(states.shape[1])
    found.bits = OLDER + PART_BITS
    found.build([states])
    assert found.bits == OLDER + PART_BITS
    return found


def _stretched(found: Visited) -> bool:
    """Whether all parts could grow in place."""
    rebuilt = []

    def everything() -> list[np.ndarray]:
        rebuilt.append(True)
        return []

    found.grow(lambda tasks: [task() for task in tasks], everything)
    return not rebuilt


def _missing(states: np.ndarray, found: Visited) -> int:
    """How many of the states the set does not know."""
    shared, out = np.zeros(32, np.int64), np.empty_like(states)
    insert(states.copy(), _hashes(states, found.span), len(states), *found.geometry(), out, shared, found.span)
    return int(shared[OUT])


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 2**32),
    share=st.floats(0, 0.65),
    words=st.integers(1, 2),
    doublings=st.integers(1, 3),
    below=st.sampled_from([2**20, 2**40, 2**63]),
)
def test_a_set_that_grew_in_place_holds_what_it_held(
    seed: int, share: float, words: int, doublings: int, below: int
) -> None:
    size = int(share * (PARTS << OLDER))
    drawn = np.random.default_rng(seed).integers(0, below, (size, words)).astype(np.uint64)
    states = np.unique(drawn, axis=0)
    found = _filled(states)
    assert all(_stretched(found) for _ in range(doublings))
    assert sum(np.count_nonzero(found.slots.part(part)) for part in range(PARTS)) == words * len(states)
    assert _missing(states, found) == 0
    found.give_back()


def _at(places: np.ndarray) -> np.ndarray:
    """Different states of the first part with these home slots before the set grows."""
    inverse, found = pow(int(state_set.SPREAD), -1, 1 << 64), []
    for number, place in enumerate(places.tolist()):
        rest = number << 8  # two neighbours in `rest` differ in the mark
        marked = next(
            value
            for more in range(1 << 8)
            if (value := ((place << 64 - PART_BITS - OLDER) + rest + more) * inverse % (1 << 64)) >> 63
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
    states = _at(draw.permutation(np.concatenate(places))[: int(0.7 * (1 << OLDER))])
    found = _filled(states)
    assert not _stretched(found) or _missing(states, found) == 0
    found.give_back()


def test_a_crowd_too_far_behind_its_place_is_noticed() -> None:
    found = _filled(_at(np.full(5600, 2500)))
    assert not _stretched(found)
    found.give_back()


@pytest.mark.parametrize("words", [1, 2, 3])
def test_threads_that_insert_the_same_states_add_each_once(words: int) -> None:
    drawn = np.random.default_rng(words).integers(0, 2**62, (40_000, words)).astype(np.uint64)
    found, shared = Visited(words), np.zeros(32, np.int64)
    found.build([])
    hashes = _hashes(drawn, found.span)
    out = np.zeros((4 * len(drawn), words), np.uint64)
    together = threading.Barrier(4)

    def adds() -> None:
        own, at = drawn.copy(), hashes.copy()
        together.wait()
        for start in range(0, len(own), 100):
            part = slice(start, start + 100)
            insert(own[part], at[part], 100, *found.geometry(), out, shared, found.span)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(adds) for _ in range(4)]:
            done.result()
    assert shared[OUT] == len(drawn)
    assert np.array_equal(np.unique(out[: len(drawn)], axis=0), np.unique(drawn, axis=0))
    found.give_back()


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
    compiled = re.compile(r"@loop\(|= intrinsic\(")
    with_loops = {path.name for path in here.glob("*.py") if compiled.search(path.read_text(encoding="utf-8"))}
    assert with_loops | {"compiling.py"} == set(compiling.SOURCES)
