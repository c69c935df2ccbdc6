"""Limits of the system, really applied: whatever a command cannot get, it ends in one line, and loses nothing."""

import os
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.files import lay_out

#: A quick line of every command.
LINES = [
    "compare --vcpus 1 --events boot -o old.txt", "explore null --events boot -o old.txt",
    "history --bug B4 -o old.txt", "matrix --events boot --protocols null --jobs 2 -o old.txt",
    "check null -o old.txt", "list -o old.txt", "layout good.h -o old.txt", "replay good.jsonl -o old.txt",
    "export dot null -o old.txt",
    "page compare --vcpus 1 --events boot -o old.txt", "page matrix --events boot --protocols null --jobs 2 -o old.txt",
    "report rep --no-notebooks --vcpus 1 --events boot --protocols null", "new mine",
]  # fmt: skip
KVM = [
    "kvm --vcpus 1 --protocols null --events boot -o old.txt", "replay good.jsonl --engine kvm -o old.txt",
    "fuzz --yes-this-fuzzes-the-kernel --ops 20 --length 20 --jobs 2 -o old.txt", "calibrate -o old.txt",
]  # fmt: skip
SPIN = ["crosscheck null --events boot --vcpus 1 -o old.txt"]
MATRIX = LINES[3]
#: A user without processes, so that a limit of them is exact; as root, that user may read what root may.
USER = 54321
AS_A_USER = ["setpriv", f"--reuid={USER}", "--clear-groups", "--inh-caps=+dac_override,+dac_read_search",
             "--ambient-caps=+dac_override,+dac_read_search"]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def limited(line, *limits, before=(), done=(0,)):
    """Run a command line under limits; assert how it ends; return its status and last line on stderr."""

    def limit():
        for which, most in limits:
            resource.setrlimit(which, (most, most))

    Path("old.txt").write_text("the old result\n")
    command = [*before, sys.executable, "-m", "workbench", *shlex.split(line)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, preexec_fn=limit)
    said = found.stderr.splitlines()
    assert found.returncode in (*done, 1, 2), (limits, found.stderr)
    assert all(text.startswith("workbench: ") and text.isprintable() for text in said), (limits, found.stderr)
    assert "internal error" not in found.stderr, limits
    if found.returncode:
        assert said, limits
        assert Path("old.txt").read_text() == "the old result\n"
        assert not [one for one in Path().iterdir() if one.name.startswith((".", "rep"))]
    shutil.rmtree("rep", ignore_errors=True)
    for made in Path().glob("mine.*"):
        made.unlink()
    return found.returncode, said[-1] if said else ""


def test_little_memory(folder):
    """At 36 MiB this program is not loaded whole, at 60 it is; at less than 32 Python itself may crash."""
    memory = [limited(MATRIX, (resource.RLIMIT_AS, most << 20)) for most in (36, 60, 1000)]
    assert [status for status, _ in memory][::2] == [1, 0]
    assert memory[0][1].startswith("workbench: out of memory; ask for fewer")


def test_few_descriptors(folder):
    status, said = limited(MATRIX, (resource.RLIMIT_NOFILE, 8))
    see = "see the limits of this process (ulimit -a)"
    assert (status, said) == (1, f"workbench: cannot go on: OSError: [Errno 24] Too many open files; {see}")
    limited(MATRIX, (resource.RLIMIT_NOFILE, 16))


def processes(line, most):
    """Run a command line with ``most`` processes and threads; root, whom no limit holds, becomes another user."""
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv (util-linux) is needed to become a user whom the limit holds")
        for path in (Path(), *Path().iterdir()):
            if not path.is_symlink():
                os.chown(path, USER, USER)
        return limited(line, (resource.RLIMIT_NPROC, most), before=AS_A_USER)
    threads = [one for one in Path("/proc").glob("[0-9]*/task/*") if one.exists() and one.stat().st_uid == os.getuid()]
    return limited(line, (resource.RLIMIT_NPROC, len(threads) + most))


def test_few_processes(folder):
    status, said = processes(MATRIX, 1)
    assert status == 1
    assert said.endswith("Resource temporarily unavailable; see the limits of this process (ulimit -a)")
    status, said = processes(MATRIX, 3)
    assert status in (0, 1)
    assert status == 0 or said.startswith("workbench: cannot go on: ")


@pytest.mark.slow
def test_memory_that_runs_out(folder):
    line = "explore generic --vcpus 3 --events migrate --features steal_time,kvmclock --max-memory 9999 -o old.txt"
    status, said = limited(line, (resource.RLIMIT_AS, 400 << 20))
    assert status == 1
    assert said.startswith("workbench: out of memory")


ALL = [*LINES, *(pytest.param(one, marks=pytest.mark.kvm) for one in KVM),
       *(pytest.param(one, marks=pytest.mark.spin) for one in SPIN)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("line", ALL)
def test_every_limit(line, folder):
    """From what hardly starts Python to what is enough: address space, data, descriptors, processes."""
    for most in (*range(60, 260, 10), 300, 400, 500, 700, 1000):
        limited(line, (resource.RLIMIT_AS, most << 20))
    for most in (20, 40, 60, 80, 100, 150, 300):
        limited(line, (resource.RLIMIT_DATA, most << 20))
    for most in range(10, 31, 2):
        limited(line, (resource.RLIMIT_NOFILE, most))
    for most in range(1, 7):
        processes(line, most)
