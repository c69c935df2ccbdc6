"""The list of changed verdicts: what is compared, and how events are named."""

from tests.measure.changed_cells import changed, listing, told

BEFORE = {("generic", "boot", "F01"): "HOLDS", ("generic", "kexec", "F01"): "FAILS"}


def test_a_changed_verdict_and_a_new_property_that_fails_are_listed_and_nothing_else():
    now = {
        ("generic", "boot", "F01"): "NOT EXERCISED",
        ("generic", "kexec", "F01"): "FAILS",
        ("generic", "boot", "F19"): "FAILS",
        ("generic", "kexec", "F19"): "HOLDS",
        ("generic", "page-ready", "F01"): "FAILS",  # an event that was not there
    }
    assert changed(BEFORE, now) == {
        ("F01", "HOLDS", "NOT EXERCISED"): {"generic": ["boot"]},
        ("F19", "new", "FAILS"): {"generic": ["boot"]},
    }
    first, *_ = listing(BEFORE, now).splitlines()
    assert first.startswith("* stray write (F01), HOLDS to NOT EXERCISED, because no memory of an area gets")


def test_events_are_named_in_the_shorter_way():
    every = ["a", "b", "c", "d"]
    assert told(every, every) == "every event"
    assert told(["a", "b", "c"], every) == "every event but d"
    assert told(["a"], every) == "a"
