"""The verdicts that change with each other reading of the patch, and the page that is written from them."""

import pytest

from tests.measure.golden_readings import PAGE, found_with, golden, page
from workbench.protocols._readings import ALL_READINGS

GOLDEN = golden()
#: Explored by every run of the tests: a reading, and an event under which it changes something.
QUICK = (("success-is-one", "ignore-msrs"), ("own-layout", "i386-guest"), ("copy-once", "descriptor-race"))


def test_the_page_says_what_was_explored():
    """After an intended change: python -m tests.measure.golden_readings."""
    assert page(GOLDEN) == PAGE.read_text()
    assert {one["reading"] for one in GOLDEN} <= set(ALL_READINGS)


@pytest.mark.parametrize(("name", "event"), QUICK)
def test_a_few_readings_are_as_they_were(name, event):
    wanted = [one for one in GOLDEN if (one["reading"], one["event"]) == (name, event)]
    assert wanted
    assert found_with(name, (event,)) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ALL_READINGS))
def test_all_readings_are_as_they_were(name):
    assert found_with(name, jobs=2) == [one for one in GOLDEN if one["reading"] == name]
