"""Every test here leaves as many threads and descriptors behind as it found."""

import threading
from pathlib import Path

import pytest


def descriptors() -> dict[str, str]:
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            found[link.name] = str(link.readlink())
        except OSError:  # the descriptor of the listing itself
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind():
    fds, threads = descriptors(), set(threading.enumerate())
    yield
    assert descriptors().items() <= fds.items()
    assert set(threading.enumerate()) <= threads
