"""What all tests share: reproducible Hypothesis runs, tests that say why they cannot run here, and what is said last.

The tests may run in several processes (pytest-xdist) or in this one. What is said at the end is said by the process
that collects the reports, so it is made from what reports carry: they alone come from where a test ran.
"""

import math
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib: no display is needed

# The same examples in every run, and no deadline: a slow machine is not a broken law.
SLOW = [HealthCheck.too_slow]
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=SLOW)
# For an evening's hunt: HYPOTHESIS_PROFILE=hunt python -m pytest
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
    """Skip what needs a tool or device that is not here, with the reason."""
    for marker, why_not in _NEEDS.items():
        if item.get_closest_marker(marker) and (reason := why_not()):
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was compared with SPIN, and say so when a whole kind of tests was skipped.

    A green line must not hide that nothing was checked.
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
    """Commands say nothing of their progress, however slow the machine is: stderr has what a test is about."""
    monkeypatch.setattr("workbench.present.progress.PATIENCE", math.inf)


# -- comparisons with SPIN ---------------------------------------------------------------------------------

_COMPARED = "explorer and SPIN"


@pytest.fixture
def to_the_table(record_property):
    """Return a function that puts a comparison of explorer and SPIN into the table at the end."""
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
    """Count them where tests are collected."""
    stash = items[0].config.stash
    stash[_DESELECTED] = stash.get(_DESELECTED, 0) + len(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this one, if one did."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["deselected"] = session.config.stash.get(_DESELECTED, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Put the number into the closing line; all workers collect the same tests."""
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    if count := getattr(node, "workeroutput", {}).get("deselected", 0):
        reporter.stats["deselected"] = [SimpleNamespace()] * count  # other plugins look at attributes of each


@pytest.fixture(scope="session")
def repo() -> Path:
    """Return the top of the checkout."""
    return Path(__file__).resolve().parents[1]
