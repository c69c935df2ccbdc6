"""The set of packed states against Python's own set."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.engines.explore.numpy_search.state_set import RecentStates, StateSet

NUMBER = st.one_of(st.integers(0, 6), st.integers(0, 2**63 - 1))


def batches(most):
    """The number of words of a state, and batches of states."""
    return st.integers(1, 3).flatmap(
        lambda words: st.tuples(
            st.just(words), st.lists(st.lists(st.tuples(*[NUMBER] * words), max_size=60), max_size=most)
        )
    )


def packed(words, batch):
    """The states of a batch as one array for each word."""
    return [np.array([state[word] for state in batch], np.uint64) for word in range(words)]


@given(batches=batches(12))
def test_new_states_are_returned_once(batches):
    words, drawn = batches
    states, seen, kept = StateSet(words, bits=3), set(), []
    states.signed = states.signed[:2]  # so small that different states share an entry
    for batch in drawn:
        arrays = packed(words, batch)
        if not states.has_room(len(batch)):
            states.grow(len(batch), kept)
        new = states.add(arrays)
        assert sorted(batch[index] for index in new.tolist()) == sorted(set(batch) - seen)
        seen |= set(batch)
        kept.append([word.take(new) for word in arrays])
        assert states.count == len(seen)


@given(batches=batches(8))
def test_the_filter_never_drops_a_state_that_was_not_seen(batches):
    words, drawn = batches
    recent, seen = RecentStates(words), set()
    for batch in drawn:
        kept = {batch[index] for index in recent.others(packed(words, batch)).tolist()}
        assert set(batch) - seen <= kept
        seen |= set(batch)
