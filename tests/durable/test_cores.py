"""Processes that share a machine have a share of its cores each, so that threads and processes are not more."""

from contextlib import contextmanager

import pytest

from workbench.durable.cores import VARIABLE, cores
from workbench.durable.pool import Pool


@contextmanager
def telling():
    yield None, lambda piece: (piece, cores())


@pytest.mark.parametrize(("ours", "jobs", "theirs"), [(8, 2, 4), (8, 3, 2), (2, 4, 1), (1, 1, 1)])
def test_workers_share_the_cores(ours, jobs, theirs, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(ours))
    with Pool(jobs, telling) as workers:
        workers.give("x")
        assert workers.finished() == [("x", theirs)]


def test_other_pools_on_the_machine_count(monkeypatch):
    monkeypatch.setenv(VARIABLE, "8")
    with Pool(1, telling, beside=8) as workers:
        workers.give("x")
        assert workers.finished() == [("x", 1)]


@pytest.mark.parametrize("said", ["", "0", "many"])
def test_without_a_share_there_are_all_that_we_may_use(said, monkeypatch):
    monkeypatch.setenv(VARIABLE, said)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 5, 7})
    assert cores() == 3
