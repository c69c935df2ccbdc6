"""State files: continued, incomplete, of another campaign, unusable."""

import json

import pytest

from workbench.errors import WorkbenchError
from workbench.fuzz.journal import Entry, Journal

HEAD = {"seed": 1, "length": 200, "protocol": "per_feature", "generator": 1}


def test_without_a_file_it_counts(tmp_path):
    with Journal(None, HEAD) as journal:
        journal.add([Entry(0, 200, {"a": 1}), Entry(2, 150, {"a": 2, "b": 1}, "x.jsonl")])
    assert (journal.done, journal.operations, dict(journal.known)) == ({0, 2}, 350, {"a": 3, "b": 1})
    assert journal.findings == ["x.jsonl"]


def test_it_goes_on_where_it_was(tmp_path):
    path = tmp_path / "state.jsonl"
    with Journal(path, HEAD) as journal:
        journal.add([Entry(0, 200, {}), Entry(1, 200, {"a": 1})])
        journal.add([])
    with Journal(path, HEAD) as journal:
        assert (journal.done, journal.operations, journal.known["a"]) == ({0, 1}, 400, 1)
        journal.add([Entry(2, 200, {})])
    assert next(json.loads(line) for line in path.read_text().splitlines()) == {"fuzz": HEAD}
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_last_line_is_dropped(tmp_path, cut):
    path = tmp_path / "state.jsonl"
    with Journal(path, HEAD) as journal:
        journal.add([Entry(0, 200, {}), Entry(1, 200, {})])
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, HEAD) as journal:
        assert journal.done == {0}
        journal.add([Entry(1, 200, {})])
    with Journal(path, HEAD) as journal:
        assert (journal.done, journal.operations) == ({0, 1}, 400)


@pytest.mark.parametrize("content", ["", '{"fuzz": {"se', "{"])
def test_a_file_whose_first_line_was_torn_begins_again(tmp_path, content):
    path = tmp_path / "state.jsonl"
    path.write_text(content)
    with Journal(path, HEAD) as journal:
        assert journal.done == set()
    assert json.loads(path.read_text()) == {"fuzz": HEAD}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("hello", "is not one of workbench fuzz"),
        ("a\nb", "is not one of workbench fuzz"),
        ("hello\n", "is not one of workbench fuzz"),
        ('{"op": "run"}\n', "is not one of workbench fuzz"),
        ('{"fuzz": {"seed": 1}}\n[]\n', "is not one of workbench fuzz"),
        (json.dumps({"fuzz": HEAD | {"seed": 2}}) + "\n", "belongs to another campaign: seed is 2 there, 1 here"),
        (json.dumps({"fuzz": HEAD | {"generator": 9}}) + "\n", "belongs to another campaign: generator is 9 there"),
    ],
)
def test_another_file_is_refused_and_left_alone(tmp_path, content, said):
    path = tmp_path / "state.jsonl"
    path.write_text(content)
    with pytest.raises(WorkbenchError, match=said):
        Journal(path, HEAD)
    assert path.read_text() == content


def test_a_place_where_nothing_can_be_written(tmp_path):
    with pytest.raises(WorkbenchError, match="cannot be used: No such file or directory"):
        Journal(tmp_path / "absent" / "state.jsonl", HEAD)
    with pytest.raises(WorkbenchError, match="cannot be used: Is a directory"):
        Journal(tmp_path, HEAD)
