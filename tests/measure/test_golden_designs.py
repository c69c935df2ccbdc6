"""The golden matrix of the designs that ship, and the cards of docs/designs.md that are written from it."""

import pytest

from tests.measure.golden_designs import CARDS, QUICK, explored, golden, with_rows

GOLDEN = golden()
NAMES = list(dict.fromkeys(one["protocol"] for one in GOLDEN))


def test_the_cards_say_what_was_explored():
    """After an intended change: python -m tests.measure.golden_designs."""
    text = CARDS.read_text()
    assert with_rows(text, GOLDEN) == text
    assert all(f"<!-- verdicts of {name} -->" in text for name in NAMES)


def test_no_search_of_a_design_that_ships_broke_off():
    assert [one for one in GOLDEN if one["verdict"] == "BROKE OFF"] == []


@pytest.mark.parametrize("name", ["pvtime", "diag258"])
def test_a_few_events_are_as_they_were(name):
    wanted = [one for one in GOLDEN if (one["protocol"], one["event"]) in {(name, event) for event in QUICK}]
    assert explored([name], QUICK) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_events_are_as_they_were(name):
    assert explored([name], jobs=2) == [one for one in GOLDEN if one["protocol"] == name]
