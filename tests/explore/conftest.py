"""What the comparisons with SPIN found is shown as one table after the tests."""

import pytest

from workbench.measure.exploration.crosscheck import Compared
from workbench.present.text.crosscheck import crosscheck_text

FOUND = pytest.StashKey[list[Compared]]()


@pytest.fixture
def to_the_table(request):
    """Return a function that puts a comparison into the table."""
    return request.config.stash.setdefault(FOUND, []).append


def pytest_terminal_summary(terminalreporter, config):
    """Print the table, if anything was compared."""
    found = config.stash.get(FOUND, [])
    if found:
        terminalreporter.section("explorer and SPIN")
        terminalreporter.write_line(crosscheck_text(found))
