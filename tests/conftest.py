"""What all tests share: reproducible Hypothesis runs, and tests that say why they cannot run here."""

import os
import shutil
from pathlib import Path

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
    """Say so when a whole kind of tests was skipped: a green line must not hide that nothing was checked."""
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


@pytest.fixture(scope="session")
def repo() -> Path:
    """Return the top of the checkout."""
    return Path(__file__).resolve().parents[1]
