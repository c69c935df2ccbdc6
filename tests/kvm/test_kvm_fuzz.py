"""The fuzzer on real KVM: it agrees for half a minute, notices hosts that differ, survives being killed."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from fuzz_mutants import MISTAKES, MUTANTS
from mutant_times import LIMIT, find

from workbench import replay
from workbench.durable.store import FILE
from workbench.features import choose
from workbench.fuzz.findings import as_replay
from workbench.fuzz.generate import sequence
from workbench.fuzz.journal import Entry
from workbench.fuzz.trial import Bench
from workbench.protocols import PerFeature
from workbench.replay.reading import parse

pytestmark = pytest.mark.kvm
YES = "--yes-this-fuzzes-the-kernel"
LENGTH = 200


@pytest.fixture
def command(repo, tmp_path):
    """Return what starts the command line in a folder of its own."""

    def start(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(repo)}
        line = [sys.executable, "-m", "workbench", "fuzz", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(line, cwd=tmp_path, env=environment, **pipes)

    return start


def bench(protocol_of):
    return Bench(replay.find_engine("sim"), replay.find_engine("kvm"), protocol_of, lambda: PerFeature(choose()))


def test_operations_show_what_is_left_out_here():
    with bench(lambda mitigations: PerFeature(choose(), mitigations)) as both:
        tried = {one.name for one in both.excluded if one.tried}
        untried = {one.name for one in both.excluded if one.not_tried}
    assert tried >= {"clock-readings", "time-of-day", "overlap", "token-in-overlap", "clock-now"}
    assert both.left_out.names == tried | untried
    assert both.left_out.applies("overlap")


@pytest.mark.parametrize("seconds", ["4", pytest.param("60", marks=pytest.mark.slow)])
def test_some_time_without_an_unexplained_divergence(command, tmp_path, seconds):
    running = command(YES, "--seconds", seconds, "--jobs", "1", "--seed", "2011", "--state", "state")
    out, err = running.communicate(timeout=180)
    assert running.returncode == 0, out + err
    assert out.startswith("kvm: Linux ")
    assert "0 unexplained" in out
    (operations,) = re.findall(r"^(\d+) operations in \d+ sequences compared$", out, re.MULTILINE)
    assert int(operations) >= LENGTH
    assert sum(entry.operations for entry in noted(tmp_path / "state")) == int(operations)
    assert not (tmp_path / "fuzz-findings").exists()


#: How many operations suffice, and how many are left, without machine, memslots and looks, when it is made small.
POWER = {
    "StealTakesReservedBits": (2_000, 1),
    "InitForgetsPvEoi": (20_000, 3),
    "CrossingDropsTheOldArea": (20_000, 3),
    "NamesOfTheirOwn": (2_000, 2),
    "NoWakeAll": (4_000, 2),
    "CarriesOnlyWhatIsNotZero": (40_000, 5),
    "HostWritesAreFree": (4_000, 2),
    "ClockComesOnlyOnce": (10_000, 4),
    "StealClearsItsFlags": (20_000, 3),
    "ClockLeavesPadding": (40_000, 3),
}


@pytest.mark.parametrize("name", sorted(POWER))
def test_a_simulator_that_errs_is_caught_and_the_sequence_made_small(name):
    within, left = POWER[name]
    with bench(lambda mitigations: MUTANTS[name]()) as both:
        for number in range(within // LENGTH):
            operations = sequence(1, number, LENGTH).operations
            found = both.judge(operations).divergence
            if found:
                break
        else:
            pytest.fail(f"not noticed within {within} operations")
        small = both.make_small(operations, found)
    assert small.fresh
    acting = [step for step in small.operations if step.op not in ("machine", "ram", "load")]
    assert len(acting) <= left
    shown_on_both_engines(small, MUTANTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MISTAKES)
def test_every_planted_mistake_is_found_within_a_minute(name):
    found = find(name)
    assert found.key is not None, f"not noticed in {found.operations} operations, {found.seconds:.0f} s"
    assert found.seconds < LIMIT


def test_there_are_twenty_planted_mistakes_and_the_manual_lists_each(request):
    manual = (request.config.rootpath / "docs/fuzzing.md").read_text()
    assert len(MISTAKES) == 20
    assert [said for said in MISTAKES.values() if f"| {said} | " not in manual] == []


def shown_on_both_engines(small, mutant):
    """The replay file is met by KVM and not by the simulator that erred."""
    text = as_replay(small.operations, small.divergence, ["found"])
    file = parse("small.jsonl", text.encode())
    assert replay.totals(replay.play([file], replay.find_engine("kvm"), lambda _: PerFeature(choose()))).failed == 0
    wrong = replay.totals(replay.play([file], replay.find_engine("sim"), lambda _: mutant()))
    assert wrong.failed == 1, text


def test_a_used_machine_serves_like_a_new_one():
    with bench(lambda mitigations: PerFeature(choose(), mitigations)) as both:
        for number in range(300, 315):
            operations = sequence(1, number, LENGTH).operations
            assert both.judge(operations).divergence is None
            assert both.judge(operations).divergence is None
            assert both.judge(operations, fresh=True).divergence is None


def test_a_campaign_that_is_killed_goes_on_and_loses_nothing(command, tmp_path):
    state = tmp_path / "state"
    options = (YES, "--seed", "3", "--length", "60", "--jobs", "2", "--state", "state")
    running = command(*options, "--ops", "100000000")
    wait_until(lambda: some_are_kept(state), running)
    workers = children_of(running.pid)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=30)
    wait_until(lambda: not any(is_alive(pid) for pid in workers))
    before = {entry.sequence for entry in noted(state)}
    done = sum(entry.operations for entry in noted(state))
    out, err = command(*options, "--ops", str(done + 600)).communicate(timeout=120)
    assert f"resuming from state: {len(before)} sequences, {done} operations" in err, out + err
    after = [entry.sequence for entry in noted(state)]
    assert before < set(after)
    assert len(after) == len(set(after))
    assert set(range(min(before))) <= set(after), "what was in flight is carried out again"


def test_ctrl_c_ends_it_in_one_line_and_keeps_what_is_done(command, tmp_path):
    state = tmp_path / "state"
    options = ("--seed", "4", "--length", "60", "--jobs", "2", "--state", "state")
    running = command(YES, *options, "--ops", "100000000")
    wait_until(lambda: some_are_kept(state), running)
    workers = children_of(running.pid)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    kept = f"{len(noted(state))} sequences, {sum(entry.operations for entry in noted(state))} operations"
    assert err.splitlines()[-1] == (
        f"workbench: interrupted; kept in 'state': {kept}; the same command goes on from there"
    )
    assert "Traceback" not in err
    wait_until(lambda: not any(is_alive(pid) for pid in workers))  # Python's own resource tracker ends last


def some_are_kept(state):
    log = state / f"{FILE}-wal"
    return log.exists() and log.stat().st_size > 100_000


def noted(state):
    """The sequences that are kept, each of which is there once."""
    with closing(sqlite3.connect(state / FILE)) as database:
        return [Entry(*json.loads(value)) for (value,) in database.execute("SELECT value FROM pieces")]


def wait_until(happened, running=None):
    give_up = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < give_up
        assert running is None or running.poll() is None, running.communicate()
        time.sleep(0.02)


def children_of(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(one) for one in found.split()]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - it may vanish at any moment
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_findings_of_a_campaign_are_replay_files(command, tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    options = ("--seed", "5", "--ops", "400", "--jobs", "1", "--out", "found")
    running = command(YES, *options, "--protocol", "wrong.py:Wrong")
    out, err = running.communicate(timeout=180)
    assert running.returncode == 1, out + err
    (first, *_) = sorted((tmp_path / "found").iterdir())
    assert f"{first.parent.name}/{first.name}:" in out
    assert "simulator: FAULT" in out
    assert "KVM:       HANDLED" in out or "KVM:       accepted" in out
    replayed = replay.totals(
        replay.play([replay.read(first)], replay.find_engine("kvm"), lambda _: PerFeature(choose()))
    )
    assert replayed == (1, 0)


WRONG = '''"""A host that refuses POLL_CONTROL."""
from workbench.design import FAULT, PerFeature


class Wrong(PerFeature):
    name = "wrong"
    native = PerFeature.native

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if msr == 0x4B564D05:
            return FAULT
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))
'''
