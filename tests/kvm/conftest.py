"""Skips tests where KVM is not available, with the probe's line; checks that no test leaves threads or descriptors."""

import os
import threading
from functools import cache
from pathlib import Path

import pytest

from workbench.engines.kvm.probe import probe


def descriptors() -> dict[str, str]:
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            found[link.name] = str(link.readlink())
        except OSError:  # the descriptor of the listing itself
            continue
    return found


@cache
def why_not() -> str:
    found = probe()
    return "" if found.available else found.line


def pytest_runtest_setup(item):
    if item.get_closest_marker("kvm") and why_not():
        pytest.skip(why_not())


@pytest.fixture
def on_one_cpu():
    """Threads that the test starts stay on one CPU: KVM writes the clock of a vCPU anew when it comes to another.

    On a busy machine that happens at any moment, and is nothing that a simulator could know.
    """
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[os.getpid() % len(allowed)]})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    fds, threads = descriptors(), set(threading.enumerate())
    yield
    assert descriptors().items() <= fds.items()
    assert set(threading.enumerate()) <= threads
