"""Configuration of all tests: reproducible Hypothesis runs, skips with a reason, and the closing summary.

The tests may run in several processes (pytest-xdist) or in this one. The process that collects the reports prints the
summary, so the summary is made only from data in the reports.
"""

import math
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib: no display is needed

# The same examples in every run, and no deadline, so that no property fails on a slow machine.
SLOW = [HealthCheck.too_slow]
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=SLOW)
# For a long search: HYPOTHESIS_PROFILE=hunt python -m pytest
settings.register_profile("hunt", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def _why_no_spin() -> str | None:
    absent = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    return f"{' and '.join(absent)} not installed (apt-get install spin gcc libc6-dev)" if absent else None


def _why_no_kvm() -> str | None:
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/kvm does not open: {error.strerror}"
    return None


_NEEDS = {"spin": _why_no_spin, "kvm": _why_no_kvm}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a missing tool or device, and give the reason."""
    for marker, why_not in _NEEDS.items():
        if item.get_closest_marker(marker) and (reason := why_not()):
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the comparisons with SPIN, and say when all tests of a kind were skipped.

    Otherwise a successful run could hide that nothing was checked.
    """
    _show_comparisons(terminalreporter)
    for marker in _NEEDS:
        skipped = _reports(terminalreporter, marker, ("skipped",))
        ran = _reports(terminalreporter, marker, ("passed", "failed", "error", "xfailed"))
        if skipped and not ran:
            terminalreporter.write_line(
                f"NOTE: all {skipped} {marker} tests were skipped, nothing of it was tested"
            )


def _reports(reporter: pytest.TerminalReporter, marker: str, outcomes: tuple[str, ...]) -> int:
    found = (report for outcome in outcomes for report in reporter.stats.get(outcome, []))
    return sum(marker in getattr(report, "keywords", {}) for report in found)


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    """Disable progress messages, so that stderr has only what a test expects even on a slow machine."""
    monkeypatch.setattr("workbench.present.progress.PATIENCE", math.inf)


# -- comparisons with SPIN ---------------------------------------------------------------------------------

_COMPARED = "explorer and SPIN"


@pytest.fixture
def to_the_table(record_property):
    """Return a function that adds a comparison of explorer and SPIN to the table in the summary."""
    from workbench.present.text.crosscheck import row

    return lambda found: record_property(_COMPARED, [row(found), len(found.failures)])


def _show_comparisons(reporter: pytest.TerminalReporter) -> None:
    reports = (report for outcome in ("passed", "failed") for report in reporter.stats.get(outcome, []))
    found = sorted(said for report in reports for name, said in report.user_properties if name == _COMPARED)
    if found:
        from workbench.present.text.crosscheck import rows_text

        reporter.section(_COMPARED)
        reporter.write_line(rows_text([row for row, _ in found], asked=found[0][1]))


# -- tests that were not asked for: pytest-xdist does not count them -----------------------------------------

_DESELECTED = pytest.StashKey[int]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the deselected tests in the process that collects them."""
    stash = items[0].config.stash
    stash[_DESELECTED] = stash.get(_DESELECTED, 0) + len(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker, send the number of deselected tests to the main process."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["deselected"] = session.config.stash.get(_DESELECTED, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Put a worker's number into the closing line; all workers collect the same tests."""
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    if count := getattr(node, "workeroutput", {}).get("deselected", 0):
        reporter.stats["deselected"] = [SimpleNamespace()] * count  # other plugins read attributes of each


@pytest.fixture(scope="session")
def repo() -> Path:
    """Return the top directory of the checkout."""
    return Path(__file__).resolve().parents[1]
