"""Files and directories are written completely or not at all."""

import pytest

from workbench.errors import WorkbenchError
from workbench.present.files import whole_directory, write_file


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "out.txt"
    write_file(path, "first\n")
    write_file(path, "second\n")
    assert path.read_bytes() == b"second\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.parametrize("name", ["no/such/folder.txt", "folder"])
def test_a_file_that_cannot_be_written(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(WorkbenchError, match=r"^cannot write '.*': .*directory$"):
        write_file(tmp_path / name, "text")
    assert [entry.name for entry in tmp_path.rglob("*")] == ["folder"]


def test_a_directory_appears_with_all_its_files(tmp_path):
    target = tmp_path / "a" / "b"
    with whole_directory(target) as folder:
        (folder / "one.txt").write_text("1")
        (folder / "sub").mkdir()
        (folder / "sub" / "two.txt").write_text("2")
        assert not (target / "one.txt").exists()
    assert (target / "one.txt").read_text() == "1"
    assert (target / "sub" / "two.txt").read_text() == "2"
    assert sorted(entry.name for entry in target.iterdir()) == ["one.txt", "sub"]


def break_off(target, error):
    with whole_directory(target) as folder:
        (folder / "one.txt").write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_was_there_stays_when_the_work_breaks_off(tmp_path, error):
    with whole_directory(tmp_path / "report") as folder:
        (folder / "one.txt").write_text("earlier")
    (tmp_path / "report" / "my notes.txt").write_text("mine")
    with pytest.raises(error):
        break_off(tmp_path / "report", error)
    assert (tmp_path / "report" / "one.txt").read_text() == "earlier"
    assert sorted(entry.name for entry in (tmp_path / "report").iterdir()) == ["my notes.txt", "one.txt"]


def test_a_directory_that_never_came_to_be_is_gone(tmp_path):
    with pytest.raises(ValueError):
        break_off(tmp_path / "a" / "b", ValueError)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WorkbenchError, match=r"^cannot write into directory '.*file': File exists$"),
        whole_directory(tmp_path / "file"),
    ):
        pytest.fail("nothing may be written")
    with (
        pytest.raises(WorkbenchError, match=r"^cannot write into directory '.*': Not a directory$"),
        whole_directory(tmp_path / "file" / "sub"),
    ):
        pytest.fail("nothing may be written")
