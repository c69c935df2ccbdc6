"""How a command ends: its status, one line on stderr, and what is left when it is stopped or cannot write."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORKBENCH = [sys.executable, "-m", "workbench"]
#: Minutes of work, with and without worker processes.
LONG = [
    "explore generic --vcpus 3 --features steal_time,kvmclock --events kexec",
    "matrix --protocols generic --events kexec,migrate --vcpus 3 --features steal_time,kvmclock --jobs 2",
]


def shell(line, **more):
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60, **more)


@pytest.mark.parametrize("command", ["list", "compare --vcpus 1 --events boot", "layout --help", "--version"])
def test_a_full_device_is_one_line(command):
    found = shell(f"{shlex.join(WORKBENCH)} {command} > /dev/full")
    assert (found.returncode, found.stderr) == (
        1, "workbench: cannot go on: standard output: No space left on device\n"
    )  # fmt: skip


@pytest.mark.parametrize("command", ["list", "compare --vcpus 1 --events boot"])
def test_a_closed_standard_output_is_one_line(command):
    found = shell(f"{shlex.join(WORKBENCH)} {command} >&-")
    assert (found.returncode, found.stderr) == (1, "workbench: cannot go on: standard output: it is closed\n")


def test_a_closed_standard_output_does_not_matter_to_a_command_that_writes_a_file(tmp_path):
    found = shell(f"{shlex.join(WORKBENCH)} list -o {tmp_path}/list.txt >&-")
    assert (found.returncode, found.stderr) == (0, "")
    assert (tmp_path / "list.txt").read_text()


def test_a_reader_that_wants_no_more_is_no_error():
    found = shell(f"{shlex.join(WORKBENCH)} list | head -1; exit 0")
    assert found.stderr == ""


def test_the_result_is_refused_before_the_work_begins(tmp_path):
    began = time.monotonic()
    command = [*WORKBENCH, *LONG[0].split(), "-o", str(tmp_path / "no" / "x.txt")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert time.monotonic() - began < 30


IN_AN_EXEC = """
import sys
from workbench import cli
from workbench.commands import _options
_options.check_output = lambda args: exec("import signal; signal.raise_signal(signal.SIGTERM)")
sys.exit(cli.main(["list"]))
"""


def test_a_stop_in_a_text_that_is_executed_has_its_own_status():
    """As when it comes while a dataclass is made, in the first tenths of a second."""
    found = subprocess.run([sys.executable, "-c", IN_AN_EXEC], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (143, "workbench: terminated; nothing is kept\n")


def children_of(pid):
    """Return the processes that descend from ``pid``."""
    found, parents = set(), {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = status.read_text().rpartition(") ")
        except OSError:
            continue
        parents[int(status.parent.name)] = int(rest.split()[1])
    todo = [pid]
    while todo:
        parent = todo.pop()
        own = [child for child, its in parents.items() if its == parent]
        found.update(own)
        todo += own
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


STOPPED = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGKILL, -9, "")]


@pytest.mark.parametrize(
    ("line", "number", "status", "said"),
    # The default run sends each line one signal; test_kills.py stops them too.
    [pytest.param(line, *how, marks=[pytest.mark.slow] if how != STOPPED[LONG.index(line)] else [])
     for line in LONG for how in STOPPED],
)  # fmt: skip
def test_a_command_that_is_stopped_keeps_the_old_file_and_leaves_nobody(tmp_path, line, number, status, said):
    result = tmp_path / "result.txt"
    result.write_text("the old result\n")
    process = subprocess.Popen(
        # A job in the background ignores Ctrl-C, and so would its children.
        ["env", "--default-signal=INT", *WORKBENCH, *line.split(), "-o", str(result)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    time.sleep(6)
    assert process.poll() is None, "the work is too short for this test"
    workers = children_of(process.pid)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: to every process
    else:
        process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert process.returncode == status
    assert out == ""
    if number == signal.SIGKILL:
        error = ""  # the interpreter's own helper may complain of what the killed process did not clean up
    told = [text for text in error.splitlines() if "states/s" not in text and " of " not in text]
    kept = "nothing is kept; with --state DIR what is finished would be"
    assert told == ([f"workbench: {said}; {kept}"] if said else [])
    assert result.read_text() == "the old result\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.txt"]
    deadline = time.monotonic() + 5
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in workers if alive(pid)]
