"""The store of finished pieces: kept, used again, locked, refused when damaged or not ours, never code."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from workbench.durable.store import FILE, Store, opened
from workbench.errors import WorkbenchError

KEYS = [["a", 1], ["b", {"c": None}], ["d", [2, 3]]]


def squares(store, count, made):
    def work(number):
        made.append(number)
        return {"square": number * number, "text": "ü"}

    return list(store.batch("squares", KEYS[:count]).each(work))


@pytest.fixture
def state(tmp_path):
    """A directory in which two pieces are kept."""
    with opened(tmp_path / "state") as store:
        squares(store, 2, [])
    return tmp_path / "state"


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_kept_is_used_again(state):
    made, said = [], []
    with opened(state, note=said.append) as store:
        found = squares(store, 3, made)
    assert made == [2]
    assert [one["square"] for one in found] == [0, 1, 4]
    assert said == [f"2 of 3 squares kept from an earlier run in {str(state)!r}"]
    assert sorted(content(state)) == ["lock", FILE]


def test_without_a_directory_nothing_is_kept():
    for _ in range(2):
        made = []
        with opened(None) as store:
            squares(store, 2, made)
        assert made == [0, 1]


def test_another_sort_another_key_and_other_sources_are_other_pieces(state, monkeypatch):
    with opened(state) as store:
        assert len(store.batch("squares", KEYS[:2]).kept) == 2
        assert not store.batch("cubes", KEYS[:2]).kept
        assert not store.batch("squares", [["a", 2]]).kept
        monkeypatch.setattr("workbench.durable.content.workbench", lambda: "another version")
        assert not store.batch("squares", KEYS[:2]).kept


def test_fresh_does_everything_again_and_destroys_nothing_before(state):
    made = []
    with opened(state, fresh=True) as store:
        store.batch("squares", KEYS[:2]).keep(0, {"square": "new"})
    with opened(state) as store:
        assert [one["square"] for one in squares(store, 2, made)] == ["new", 1]
    assert made == []


def test_what_is_not_complete_is_not_kept(tmp_path):
    with opened(tmp_path / "state") as store:
        batch = store.batch("squares", KEYS)
        assert list(batch.each(lambda number: number, complete=lambda value: value != 1)) == [0, 1, 2]
        assert batch.kept == {0, 2}


def test_a_stop_tells_what_is_kept(tmp_path):
    def work(number):
        if number == 2:
            raise KeyboardInterrupt
        return number

    with pytest.raises(KeyboardInterrupt) as stop, opened(tmp_path / "state") as store:
        list(store.batch("squares", KEYS).each(work))
    assert stop.value.__notes__ == [
        f"kept in {str(tmp_path / 'state')!r}: 2 of 3 squares; the same command goes on from there"
    ]


def test_an_open_store_is_passed_on(state):
    with opened(state) as store, opened(store) as same:
        assert same is store
    assert store.folder == state


# -- one process at a time ---------------------------------------------------------------------------------------------


def test_a_second_one_is_refused_and_says_who_is_there(state):
    before = content(state)[FILE]
    with opened(state), pytest.raises(WorkbenchError, match=rf"is in use by process {os.getpid()} \(.*\); wait until"):
        Store(state)
    assert content(state)[FILE] == before
    with opened(state) as store:
        assert len(store.batch("squares", KEYS).kept) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from workbench.durable.store import opened
with opened(Path(sys.argv[1])) as store:
    store.batch("squares", [["d", [2, 3]]]).keep(0, {"square": "killed"})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_loses_nothing_and_holds_no_lock(state):
    run = subprocess.run([sys.executable, "-c", KILLED, str(state)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert f"{FILE}-wal" in content(state)
    with opened(state) as store:
        assert store.batch("squares", KEYS).get(2) == {"square": "killed"}
        assert len(store.batch("squares", KEYS).kept) == 3
    assert sorted(content(state)) == ["lock", FILE]


# -- what is refused, and left as it is --------------------------------------------------------------------------------


def spoil(path, at):
    text = bytearray(path.read_bytes())
    text[at] ^= 0x55
    path.write_bytes(text)


DAMAGES = {
    "text": lambda path: path.write_text("hello\n"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "cut in the header": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "name of the table": lambda path: spoil(path, path.read_bytes().index(b"pieces")),
    "a value": lambda path: spoil(path, path.read_bytes().index(b'"square"')),
    "a page": lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(4096) + path.read_bytes()[8192:]),
    "its last page": lambda path: path.write_bytes(path.read_bytes()[:-4096]),
    "another program's": lambda path: spoil(path, 70),
    "another format": lambda path: spoil(path, 63),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused_and_left_as_it_is(state, damage):
    DAMAGES[damage](state / FILE)
    before = content(state)
    with pytest.raises(WorkbenchError, match=r"state file .* (is damaged|is not one of|is of format)") as refused:
        Store(state)
    assert "\n" not in str(refused.value)
    assert content(state) == before


def test_a_damaged_file_of_a_killed_process_is_left_as_it_is(state):
    with opened(state) as store:  # so many that the log of the killed process has another page than the spoilt piece
        list(store.batch("more", range(200)).each(lambda number: f"piece {number} {'-' * 100}"))
    subprocess.run([sys.executable, "-c", KILLED, str(state)], check=False)
    spoil(state / FILE, (state / FILE).read_bytes().index(b'piece 3 '))
    before = {name: text for name, text in content(state).items() if name != "lock"}
    with pytest.raises(WorkbenchError, match="is damaged"):
        Store(state)
    assert {name: text for name, text in content(state).items() if name != "lock"} == before


def test_a_torn_log_of_a_killed_process_loses_its_end_only(state):
    subprocess.run([sys.executable, "-c", KILLED, str(state)], check=False)
    log = state / f"{FILE}-wal"
    log.write_bytes(log.read_bytes()[:-100])
    with opened(state) as store:
        assert store.batch("squares", KEYS).kept == {0, 1}


def test_a_database_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "state").mkdir()
    with closing(sqlite3.connect(tmp_path / "state" / FILE)) as database:
        database.execute("CREATE TABLE pieces (key, value)")
    before = content(tmp_path / "state")[FILE]
    with pytest.raises(WorkbenchError, match="is not one of workbench; it is left as it is"):
        Store(tmp_path / "state")
    assert content(tmp_path / "state")[FILE] == before


def test_a_directory_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkbenchError, match="holds other files and no state; name a directory of its own"):
        Store(tmp_path)
    assert sorted(content(tmp_path)) == ["thesis.txt"]


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "state").write_text("fuzz")
    with pytest.raises(WorkbenchError, match="is a file; name a directory"):
        Store(tmp_path / "state")
    with pytest.raises(WorkbenchError, match="cannot be used: No such file or directory"):
        Store(tmp_path / "absent" / "state")


def test_an_empty_file_is_filled(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE).touch()
    with opened(tmp_path / "state") as store:
        assert not store.batch("squares", KEYS).kept


def test_what_cannot_be_written_is_an_error_of_the_system(tmp_path):
    with opened(tmp_path / "state") as store:
        store._database.execute("PRAGMA query_only = ON")
        with pytest.raises(OSError, match="readonly"):
            store.batch("squares", KEYS).keep(0, 1)
