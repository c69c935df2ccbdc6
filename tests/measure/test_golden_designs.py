"""The golden matrix of the designs that ship, and the cards of docs/designs.md that are written from it."""

import pytest

from tests.measure.golden_designs import CARDS, QUICK, explored, golden, with_rows
from workbench.checking.failures import FAILURES

GOLDEN = golden()
#: (design, event) -> the properties that hold there.
HOLDING = {(one["protocol"], one["event"]): set(one["property"].split()) for one in GOLDEN if one["verdict"] == "HOLDS"}
NAMES = list(dict.fromkeys(one["protocol"] for one in GOLDEN))


def test_the_cards_say_what_was_explored():
    """After an intended change: python -m tests.measure.golden_designs."""
    text = CARDS.read_text()
    assert with_rows(text, GOLDEN) == text
    assert all(f"<!-- verdicts of {name} -->" in text for name in NAMES)


def test_no_search_of_a_design_that_ships_broke_off():
    assert [one for one in GOLDEN if one["verdict"] == "BROKE OFF"] == []


@pytest.mark.parametrize(
    ("name", "events"),
    [("pvtime", QUICK), ("diag258", QUICK), ("notify", ("migrate-damaged",)), ("sbi_sta", ("memslot-return",))],
)
def test_a_few_events_are_as_they_were(name, events):
    wanted = [one for one in GOLDEN if one["protocol"] == name and one["event"] in events]
    assert explored([name], events) == wanted


def test_every_property_was_asked_of_every_search_that_ended_at_its_limit():
    """A property that is new has rows where it neither holds nor is not exercised."""
    asked = {}
    for one in GOLDEN:
        if one["verdict"] != "HOLDS":
            asked.setdefault((one["protocol"], one["event"]), []).append(one)
    bounded = {key: rows for key, rows in asked.items() if any(one["verdict"] == "BOUNDED" for one in rows)}
    assert bounded
    for key, rows in bounded.items():
        assert set(FAILURES) - {one["property"] for one in rows} <= HOLDING.get(key, set()), key


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_events_are_as_they_were(name):
    assert explored([name], jobs=2) == [one for one in GOLDEN if one["protocol"] == name]
