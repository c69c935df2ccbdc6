"""What the system refuses: a result that cannot be printed or written, and limits. One line, status 1, nothing lost."""

import errno
import io
import os
import resource
import shlex
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.hostile.files import lay_out
from workbench.cli import main

#: A quick line of every command that prints a result.
LINES = [
    "compare --vcpus 1 --events boot", "explore null --events boot", "matrix --events boot --protocols null --jobs 1",
    "history --bug B4", "list", "layout good.h", "replay good.jsonl", "export dot null",
    "page compare --vcpus 1 --events boot", "post --about exits --vcpus 1 --events boot",
    "hardware --protocols null", "--help", "compare --help", "--version",
]  # fmt: skip
WRITERS = [line for line in LINES if line[0] != "-" and "--help" not in line]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_line(capsys, status, line):
    assert status == 1, capsys.readouterr()
    err = [text for text in capsys.readouterr().err.splitlines() if " of " not in text]  # without progress
    assert err == [f"workbench: cannot go on: {line}"]


class Full(io.StringIO):
    """A text stream to a device that is full; test_endings.py has a real one."""

    def flush(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("line", LINES)
def test_a_full_standard_output(line, folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full())
    one_line(capsys, main(shlex.split(line)), "standard output: No space left on device")


@pytest.mark.parametrize("line", LINES)
def test_a_closed_standard_output(line, folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    one_line(capsys, main(shlex.split(line)), "standard output: it is closed")


@pytest.mark.parametrize("line", WRITERS)
@pytest.mark.parametrize("stream", [None, Full()])
def test_messages_that_cannot_be_printed_stop_nothing(stream, line, folder, monkeypatch, capsys):
    """Standard error closed or full: progress and notes are lost, the result is not; an error is its status."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("workbench.present.progress.PATIENCE", 0.0)
    assert main([*shlex.split(line), "-o", "old.txt"]) == 0
    assert (folder / "old.txt").read_text() != "the old result\n"
    assert main([*shlex.split(line), "--no-such-option"]) == 2


@pytest.fixture
def full_disk(folder):
    """Mount a small disk, put an old result on it, and fill it."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        (disk / "old.txt").write_text("the old result\n")
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(4096)):
                pass
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.parametrize("line", WRITERS)
def test_a_full_disk(line, full_disk, capsys):
    status = main([*shlex.split(line), "-o", "disk/old.txt"])
    one_line(capsys, status, "disk/old.txt: No space left on device")
    assert (full_disk / "old.txt").read_text() == "the old result\n"
    assert sorted(one.name for one in full_disk.iterdir()) == ["filler", "old.txt"]


def test_a_full_disk_and_a_report(full_disk, capsys):
    status = main(["report", "disk/new", "--no-notebooks", "--vcpus", "1", "--events", "boot", "--protocols", "null"])
    assert status == 1
    assert "cannot go on: disk/new" in capsys.readouterr().err
    assert sorted(one.name for one in full_disk.iterdir()) == ["filler", "old.txt"]


def test_a_file_that_may_not_grow(folder, capsys):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        status = main(["list", "-o", "old.txt"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    one_line(capsys, status, "old.txt: File too large")
    assert (folder / "old.txt").read_text() == "the old result\n"


@pytest.mark.parametrize(
    ("error", "says"),
    [(BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "BlockingIOError: [Errno 11] Resource"),
     (RuntimeError("can't start new thread"), "RuntimeError: can't start new thread"),
     (ImportError("failed to map segment from shared object"), "out of memory; ask for fewer"),
     (OSError(errno.ENOMEM, "Cannot allocate memory", "a folder"), "out of memory; ask for fewer"),
     (MemoryError(), "out of memory")],
)  # fmt: skip
def test_no_further_process_thread_or_memory(error, says, folder, monkeypatch, capsys):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr("workbench.measure.comparison.compare.compared", refuse)
    assert main(["compare", "--vcpus", "1", "--events", "boot", "-o", "old.txt"]) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "ulimit" in err
    assert err.count("\n") == 1
    assert (folder / "old.txt").read_text() == "the old result\n"
