"""A claim prints PASS or FAIL, even on an exception."""

from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.present.notebooks.claims import claim, verdict


def test_a_claim_that_holds_prints_its_value(capsys):
    claim("two and two", 4, lambda: 2 + 2)
    assert capsys.readouterr().out == "PASS  two and two: 4\n"


def test_a_claim_that_does_not_hold_prints_both():
    assert verdict("two and two", 5, lambda: 4) == "FAIL  two and two: expected 5, found 4"


def test_an_exception_is_a_claim_that_fails():
    assert verdict("a ratio", 1, lambda: 1 // 0) == (
        "FAIL  a ratio: expected 1, but ZeroDivisionError: integer division or modulo by zero"
    )


def test_words_of_the_closed_sets_and_addresses_are_shown_as_people_write_them():
    assert verdict("asked", ACCEPTED, lambda: REFUSED) == "FAIL  asked: expected accepted, found refused"
    assert verdict("where", "0x1000", lambda: 4096) == "PASS  where: 0x1000"
    assert verdict("where", "0x1000", lambda: 4097) == "FAIL  where: expected 0x1000, found 0x1001"
    assert verdict("where", "0x1000", lambda: None) == "FAIL  where: expected 0x1000, found None"


def test_sets_are_shown_in_order():
    assert verdict("names", {"b", "a", "c"}, lambda: {"c", "b", "a"}) == "PASS  names: {a, b, c}"
