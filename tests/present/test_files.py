"""Files and directories are written completely or not at all."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.present.files import check_output, whole_directory, write_file


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "out.txt"
    write_file(path, "first\n")
    write_file(path, "second\n")
    assert path.read_bytes() == b"second\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.parametrize(
    ("name", "why"),
    [("no/such/folder.txt", "there is no directory"), ("folder", "it is a directory"),
     ("kept", "the file is read-only"), ("file/x.txt", "Not a directory"), ("a\0b", "null byte"),
     ("n" * 300, "File name too long")],
)  # fmt: skip
def test_a_file_that_cannot_be_written(tmp_path, name, why):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("here")
    (tmp_path / "kept").write_text("here")
    (tmp_path / "kept").chmod(0o444)
    before = sorted(entry.name for entry in tmp_path.rglob("*"))
    for attempt in (lambda: check_output(tmp_path / name), lambda: write_file(tmp_path / name, "text")):
        with pytest.raises(WorkbenchError, match=rf"^cannot write '.*': .*{why}"):
            attempt()
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == before
    assert (tmp_path / "kept").read_text() == "here"


def test_a_link_is_followed_and_the_mode_is_kept(tmp_path):
    target = tmp_path / "real.txt"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_file(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_what_is_not_a_file_is_written_to_and_stays(tmp_path):
    write_file(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(pipe.read_text)
        write_file(pipe, "through")
        assert reader.result() == "through"
    assert pipe.is_fifo()


def test_what_a_killed_process_left_is_cleared(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = int(gone.stdout)
    (tmp_path / f".out.txt.partial-{dead}-x").write_text("half")
    (tmp_path / f".out.txt.partial-{os.getppid()}-x").write_text("somebody is at work")
    write_file(tmp_path / "out.txt", "whole")
    left = sorted(entry.name for entry in tmp_path.iterdir())
    assert left == sorted([f".out.txt.partial-{os.getppid()}-x", "out.txt"])


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
