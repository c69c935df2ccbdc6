"""The set of keys against Python's own set."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.engines.explore.keyset import KeySet, RecentKeys

KEYS = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2**63 - 1)), max_size=60)


@given(batches=st.lists(KEYS, max_size=12))
def test_new_keys_are_returned_once_and_sorted(batches):
    keys, seen, kept = KeySet(bits=3), set(), []
    for batch in batches:
        array = np.array(batch, np.uint64)
        if not keys.has_room(len(array)):
            keys.grow(len(array), kept)
        new = keys.add(array)
        assert new.tolist() == sorted(set(batch) - seen)
        seen |= set(batch)
        kept.append(new)
        assert keys.count == len(seen)


@given(batches=st.lists(KEYS, max_size=8))
def test_the_filter_never_drops_a_key_that_was_not_seen(batches):
    recent, seen = RecentKeys(), set()
    for batch in batches:
        kept = {batch[index] for index in recent.others(np.array(batch, np.uint64)).tolist()}
        assert set(batch) - seen <= kept
        seen |= set(batch)
