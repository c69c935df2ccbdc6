"""Stops commands at random times, and looks at what is left: results, processes, files, and what a resumed run gives.

``python -m tests.durable.kills COUNT [SEED] [WORK...]`` kills each work COUNT times by each signal, with a state and
without, and prints its numbers.
"""

import json
import os
import random
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from workbench.durable.store import FILE
from workbench.fuzz.journal import Entry

ROOT = Path(__file__).resolve().parents[2]
GONE_WITHIN = 5.0  #: seconds after the death of a command
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TRIES = 5  #: at killing a command while it runs
OLD = "the old result\n"
MARK = "WORKBENCH_TEST_OF_KILLS"


class Work(NamedTuple):
    """A command of a few seconds. Its result goes to OUT, a file or (for report) a directory."""

    name: str
    line: str
    is_folder: bool = False
    needs_kvm: bool = False


WORKS = {
    work.name: work
    for work in (
        Work("matrix", "matrix --protocols generic,per_feature --events kexec,migrate,init --vcpus 1 --jobs 2 -o OUT"),
        Work("cluster", "matrix --protocols generic --events boot,kexec,init --vcpus 1 --cluster local:2 -o OUT"),
        Work("explore", "explore generic --events boot,kexec,migrate,descriptor-race,init,crash -o OUT"),
        Work("history", "history --bug B1,B2,B3,B4,B5,B6,B7,B8 --format json -o OUT"),
        Work("report", "report OUT --vcpus 4 --protocols generic --events boot,kexec --no-notebooks", is_folder=True),
        Work("fuzz", "fuzz --yes-this-fuzzes-the-kernel --ops 3000 --length 60 --jobs 2 --out OUT", True, True),
        Work("kvm", "kvm --vcpus 2 --protocols generic --events boot,kexec,migrate,init -o OUT", needs_kvm=True),
    )
}


class Place(NamedTuple):
    """Where a command works: everything that it may leave is below."""

    folder: Path

    @classmethod
    def new(cls, work: Work, above: Path) -> "Place":
        place = cls(Path(tempfile.mkdtemp(dir=above)))
        place.temporary.mkdir()
        if work.is_folder:
            place.out.mkdir()
            (place.out / "report.txt").write_text(OLD)
        else:
            place.out.write_text(OLD)
        return place

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"


def start(work: Work, place: Place, with_state: bool) -> subprocess.Popen:
    words = ["out" if word == "OUT" else word for word in shlex.split(work.line)]
    words += ["--state", str(place.state)] if with_state else []
    given = {**os.environ, MARK: str(place.folder), "TMPDIR": str(place.temporary), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        # A job in the background ignores Ctrl-C, and so would its children.
        ["env", "--default-signal=INT,TERM", sys.executable, "-m", "workbench", *words],
        cwd=place.folder, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def run(work: Work, place: Place, with_state: bool) -> float:
    """Run a command to its end; return its seconds."""
    began = time.monotonic()
    process = start(work, place, with_state)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return time.monotonic() - began


def result(work: Work, place: Place) -> dict[str, bytes]:
    """Return what the command has written; of fuzz, the sequences that it has recorded."""
    if work.name == "fuzz":
        return sequences(place)
    if not work.is_folder:
        return {place.out.name: place.out.read_bytes()}
    return {path.name: path.read_bytes() for path in sorted(place.out.iterdir())}


def sequences(place: Place) -> dict[str, bytes]:
    if not (place.state / FILE).exists():
        return {}
    with closing(sqlite3.connect(place.state / FILE)) as database:
        values = [json.loads(value) for (value,) in database.execute("SELECT value FROM pieces")]
    entries = [Entry(*value) for value in values]
    assert len({entry.sequence for entry in entries}) == len(entries)
    # How many differences were explained or left out depends on the host's scheduler.
    return {str(entry.sequence): json.dumps(entry._replace(known={})).encode() for entry in entries}


def of_this(place: Place) -> list[int]:
    """Return the processes that the command, or one of its processes, has started and that have not ended."""
    mark, found = f"{MARK}={place.folder}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def left(work: Work, place: Place) -> list[str]:
    """Return what is there and should not be: processes and files."""
    wrong = [f"process {number}" for number in of_this(place)]
    wrong += [f"temporary {path.name}" for path in place.temporary.iterdir()]
    own = ("out", "state", "temporary")
    wrong += [f"beside {path.name}" for path in place.folder.iterdir() if path.name not in own]
    if place.state.exists():
        known = {FILE, f"{FILE}-wal", f"{FILE}-journal", "lock"}
        wrong += [f"state {path.name}" for path in place.state.iterdir() if path.name not in known]
    if work.is_folder:
        wrong += [f"partial {path.name}" for path in place.out.iterdir() if path.name.startswith(".")]
    return wrong


class Killed(NamedTuple):
    """How one kill went."""

    status: int
    said: str
    gone_after: float  #: seconds until nothing was left


def kill(work: Work, place: Place, with_state: bool, number: int, after: float, whole: dict[str, bytes]) -> Killed:
    """Stop a command ``after`` seconds; assert that nothing is left, and that its result is the old one, or whole."""
    old = {} if work.name == "fuzz" else result(work, place)
    process = start(work, place, with_state)
    time.sleep(after)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: to every process
    else:
        process.send_signal(number)
    died = time.monotonic()
    _, said = process.communicate(timeout=60)
    allowed = {0, -number} if number == signal.SIGKILL else {0, -number, 128 + number}
    if not any(words in said for words in ("Could not import runpy", "init_import_site")):  # Python was not yet there
        assert process.returncode in allowed, (process.returncode, said)
    if process.returncode == 128 + number:
        told = [line for line in said.splitlines() if "kept" in line]
        assert told[-1].startswith(("workbench: interrupted; ", "workbench: terminated; ")), said
    while (wrong := left(work, place)) and time.monotonic() - died < GONE_WITHIN:
        time.sleep(0.05)
    assert not wrong, wrong
    if work.name != "fuzz":
        assert result(work, place) in (old, whole), "the result is neither the old one nor the whole new one"
    return Killed(process.returncode, said, time.monotonic() - died)


def campaign(
    work: Work, above: Path, count: int, seed: int, wrong: list[str], signals=SIGNALS, states=(True, False)
) -> Counter:
    """Kill a command ``count`` times for each signal, with and without a state; resume each that has a state.

    What is wrong is appended to ``wrong``.
    """
    chosen = random.Random(f"{seed} {work.name}")
    reference = Place.new(work, above)
    seconds = run(work, reference, with_state=True)
    whole, found = result(work, reference), Counter()
    for with_state in states:
        for number in [*signals] * count:
            how = f"{number.name} {'with' if with_state else 'without'} state"
            try:
                for _ in range(TRIES):  # until one is killed before it ends by itself
                    place, after = Place.new(work, above), chosen.uniform(0.05, seconds)
                    killed = kill(work, place, with_state, number, after, whole)
                    if killed.status != 0:
                        break
                    seconds = max(0.9 * seconds, 0.5)  # the machine is less busy than it was
                if with_state:
                    run(work, place, with_state=True)
                    same(work, result(work, place), whole)
                    assert not left(work, place)
            except AssertionError as error:
                wrong.append(f"{work.name}, {how}, after {after:.3f} s: {error}")
                continue
            found[f"{how}: status {killed.status}"] += 1
            found["slowest"] = max(found["slowest"], round(killed.gone_after * 1000))
            shutil.rmtree(place.folder)
    shutil.rmtree(reference.folder)
    return found


def same(work: Work, resumed: dict[str, bytes], whole: dict[str, bytes]) -> None:
    """Assert that a resumed run gives the bytes of an uninterrupted one."""
    if work.name != "fuzz":
        assert resumed == whole
        return
    # How many sequences run beyond the limit depends on the processes; each sequence does not.
    both = resumed.keys() & whole.keys()
    assert len(both) > len(whole) // 2
    assert {key: resumed[key] for key in both} == {key: whole[key] for key in both}
    assert set(resumed) == {str(number) for number in range(len(resumed))}


if __name__ == "__main__":
    wanted = sys.argv[3:] or list(WORKS)
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            began = time.monotonic()
            wrong: list[str] = []
            numbers = campaign(WORKS[name], Path(folder), int(sys.argv[1]), int((sys.argv[2:] or ["1"])[0]), wrong)
            slowest = numbers.pop("slowest")
            print(f"{name}: {numbers.total()} kills in {time.monotonic() - began:.0f} s; all gone after {slowest} ms")
            for what, times in sorted(numbers.items()):
                print(f"  {what}: {times}", flush=True)
            print("".join(f"  WRONG: {one}\n" for one in wrong), end="", flush=True)
