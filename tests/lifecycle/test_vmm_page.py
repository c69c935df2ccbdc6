"""docs/vmms.md: its tables are what policies and runs say."""

from tests.lifecycle import vmm_tables


def test_the_page_is_what_policies_and_runs_say():
    """After an intended change: python -m tests.lifecycle.vmm_tables --write."""
    page = vmm_tables.PAGE.read_text()
    assert vmm_tables.put(page) == page
