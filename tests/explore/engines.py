"""The explorer's engines, as parameters of tests: numba is optional, and is skipped where it is not installed."""

from importlib.util import find_spec

import pytest

HERE = ("python", "numpy", *(["numba"] if find_spec("numba") else []))  #: those that can run
WITH_TABLES = [
    "numpy",
    pytest.param("disk", marks=pytest.mark.slow),  # test_disk.py has the quick ones
    pytest.param("numba", marks=pytest.mark.skipif("numba" not in HERE, reason="no numba")),
]
ENGINES = ["python", *WITH_TABLES]
