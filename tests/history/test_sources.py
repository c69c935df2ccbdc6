"""Every claim of the history was compared with its source, and a new row without that is refused."""

import pytest

from workbench.errors import WorkbenchError
from workbench.history import CASES, LEFT_OUT, sources
from workbench.history.sources import HOW, NOT_READ, SOURCES, Checked, counted, rows


def test_every_row_says_how_it_was_compared():
    assert {name for name, _, _ in rows()} == set(SOURCES) == {case.name for case in CASES} | set(LEFT_OUT)


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_row_says_what_was_read_and_what_it_says(name):
    one = SOURCES[name]
    assert one.how in HOW
    assert one.says
    assert bool(one.read) == (one.how != NOT_READ)


def test_a_row_without_a_source_is_refused(monkeypatch):
    missing = dict(SOURCES)
    del missing["lost-flush"]
    monkeypatch.setattr(sources, "SOURCES", missing)
    with pytest.raises(WorkbenchError, match=r"^lost-flush: .* does not say how"):
        list(rows())


def test_the_count_counts():
    some = [Checked("text", "a mail", "x"), Checked("text", "a mail", "x", "the year"), Checked(NOT_READ, "", "x")]
    assert counted(some) == "3 rows: 2 text, 0 code, 0 title, 0 measured, 1 not read again. Wrong: 1, corrected since."
