"""Sequences of campaigns in a store: continued, of several campaigns, without a store."""

import pytest

from workbench.durable.store import opened
from workbench.fuzz.journal import Entry, Journal

HEAD = {"host": "here", "seed": 1, "length": 200, "protocol": "per_feature", "generator": 1}


def test_without_a_state_it_counts():
    with opened(None) as store:
        journal = Journal(store, HEAD)
        journal.add([Entry(0, 200, {"a": 1}), Entry(2, 150, {"a": 2, "b": 1}, "x.jsonl")])
    assert (set(journal.done), journal.operations, dict(journal.known)) == ({0, 2}, 350, {"a": 3, "b": 1})
    assert journal.findings == ["x.jsonl"]


def test_sequences_are_counted_in_order_up_to_a_limit():
    """As often as the number of processes lets later ones finish before earlier ones."""
    entries = [Entry(0, 100, {"a": 1}), Entry(1, 90, {}, "1"), Entry(2, 100, {"a": 2}), Entry(3, 50, {}, "3")]
    with opened(None) as store:
        journal = Journal(store, HEAD)
        journal.add([entries[3], entries[0], entries[2]])
        assert (journal.upto, journal.before) == (1, 100)
        journal.add([entries[1]])
    assert (journal.upto, journal.before) == (4, 340)
    assert journal.first() == (4, 340, {"a": 3}, ("1", "3"))
    assert journal.first(190) == (2, 190, {"a": 1}, ("1",))
    assert journal.first(191) == (3, 290, {"a": 3}, ("1",))
    assert journal.first(findings=1) == journal.first(190)


def test_it_goes_on_where_it_was(tmp_path):
    with opened(tmp_path / "state") as store:
        journal = Journal(store, HEAD)
        journal.add([Entry(0, 200, {}), Entry(1, 200, {"a": 1}, "x.jsonl")])
        journal.add([])
    with opened(tmp_path / "state") as store:
        journal = Journal(store, HEAD)
        assert (set(journal.done), journal.operations, journal.known["a"]) == ({0, 1}, 400, 1)
        assert journal.findings == ["x.jsonl"]
        journal.add([Entry(2, 200, {})])
        assert ": 3 sequences, 600 operations; the same command goes on" in store.told()
    with opened(tmp_path / "state") as store:
        assert Journal(store, HEAD).done.keys() == {0, 1, 2}


def test_a_sequence_counts_once(tmp_path):
    with opened(tmp_path / "state") as store:
        journal = Journal(store, HEAD)
        journal.add([Entry(0, 200, {}), Entry(0, 200, {})])
        assert journal.operations == 200
    with opened(tmp_path / "state") as store:
        assert Journal(store, HEAD).operations == 200


@pytest.mark.parametrize("other", [{"seed": 2}, {"host": "there"}, {"generator": 9}, {"protocol": "generic"}])
def test_campaigns_do_not_mix(tmp_path, other):
    with opened(tmp_path / "state") as store:
        Journal(store, HEAD).add([Entry(0, 200, {})])
        another = Journal(store, HEAD | other)
        assert not another.done
        another.add([Entry(0, 10, {}), Entry(1, 10, {})])
        assert Journal(store, HEAD).operations == 200
        assert Journal(store, HEAD | other).operations == 20


def test_a_fresh_campaign_replaces_piece_by_piece(tmp_path):
    with opened(tmp_path / "state") as store:
        Journal(store, HEAD).add([Entry(0, 200, {}), Entry(1, 200, {})])
    with opened(tmp_path / "state", fresh=True) as store:
        journal = Journal(store, HEAD)
        assert not journal.done
        journal.add([Entry(0, 199, {})])
    with opened(tmp_path / "state") as store:
        assert Journal(store, HEAD).operations == 399
