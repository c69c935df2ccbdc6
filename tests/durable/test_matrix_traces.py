"""A matrix with a state has the traces of one without, though a state keeps none."""

import json
import sqlite3
from contextlib import closing

import pytest

from workbench.cli import main
from workbench.durable.store import FILE
from workbench.errors import WorkbenchError
from workbench.measure.exploration import tasks
from workbench.measure.exploration.matrix import Size, matrix

SIZES = [Size(1, ("steal_time",)), Size(1, ("kvmclock",))]
ASKED = {"protocols": ["generic"], "events": ["boot", "migrate"], "sizes": SIZES}


def test_the_cells_are_the_same(tmp_path):
    whole = matrix(**ASKED)
    assert any(cell.trace for cell in whole)
    for jobs in (1, 2):
        assert matrix(**ASKED, state=tmp_path / "state", jobs=jobs) == whole
        steps = []
        assert matrix(**ASKED, state=tmp_path / "state", jobs=jobs, progress=lambda *one: steps.append(one)) == whole  # noqa: B023
        again = len(steps) - 4
        assert 0 < again < 4, "of four kept searches those that decide a cell that fails are made again"
    assert {cell.trace for cell in matrix(**ASKED, state=tmp_path / "state", traces=False)} == {None}
    with closing(sqlite3.connect(tmp_path / "state" / FILE)) as database:
        pieces = database.execute("SELECT value FROM pieces").fetchall()
    assert len(pieces) == 4
    assert not any("trace" in cell for (value,) in pieces for cell in json.loads(value))


def test_a_search_that_does_not_end_as_the_kept_one_is_refused(tmp_path, monkeypatch):
    matrix(**ASKED, state=tmp_path / "state")

    def otherwise(*asked):
        for number, cells in tasks.searched(*asked):
            yield number, [cell._replace(states=1) for cell in cells]

    monkeypatch.setattr("workbench.measure.exploration.matrix.searched", otherwise)
    with pytest.raises(WorkbenchError, match="the search does not end as the one that was kept; --fresh makes all"):
        matrix(**ASKED, state=tmp_path / "state")


def test_a_page_from_a_state_is_the_page_without(tmp_path, capsys):
    line = "page matrix --protocols generic --events boot,migrate --features steal_time --jobs 1".split()
    assert main(line) == 0
    whole = capsys.readouterr().out
    for _ in range(2):
        assert main([*line, "--state", str(tmp_path / "state")]) == 0
        assert capsys.readouterr().out == whole
