"""Guarded folders and what was started for them: gone after the block, after an error, and after a kill."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from workbench.durable.guard import environment, guarded, guarded_folder


def gone(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


def within(seconds, happened):
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.05)
    return happened()


def test_a_folder_is_gone_after_its_block_and_so_is_what_runs_in_it():
    with guarded_folder() as folder:
        (folder / "deep" / "deeper").mkdir(parents=True)
        sleeper = subprocess.Popen(["sleep", "60"], env=environment(folder))
    assert not folder.exists()
    assert sleeper.wait(5) == -signal.SIGKILL


def test_folders_made_on_the_way_go_if_nothing_is_in_them(tmp_path):
    inner = tmp_path / "a" / "b"
    with guarded(inner / "partial", [inner, inner.parent]):
        (inner / "partial").mkdir(parents=True)
        (inner.parent / "kept").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]


def test_where_no_process_can_be_started_the_folder_goes_all_the_same(monkeypatch):
    def refused(*_args, **_more):
        raise BlockingIOError

    monkeypatch.setattr(subprocess, "Popen", refused)
    with guarded_folder() as folder:
        (folder / "file").touch()
    assert not folder.exists()


PARENT = """
import os, signal, subprocess, sys
from workbench.durable.guard import environment, guarded_folder
with guarded_folder() as folder:
    (folder / "file").touch()
    child = subprocess.Popen(["sh", "-c", "sleep 60 & wait"], env=environment(folder))
    print(folder, child.pid, flush=True)
    os.killpg(0, signal.SIGKILL)
"""


def test_a_kill_of_the_whole_group_leaves_nothing():
    run = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, check=False, start_new_session=True
    )
    assert run.returncode == -signal.SIGKILL
    folder, child = run.stdout.split()
    assert within(5, lambda: not Path(folder).exists())
    assert within(5, lambda: gone(child))
    mark = f"TMPDIR={folder}".encode()
    assert within(5, lambda: not [path for path in Path("/proc").glob("[0-9]*/environ") if mark in read(path)])


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
