"""Worker processes: work from scripts of every kind, failures as exceptions, nobody left."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.house.imports import ROOT
from workbench.checking.failures import FAILURES
from workbench.cli import main
from workbench.durable import pool
from workbench.durable.pool import NotSharedError, Pool, script_of
from workbench.errors import EngineError, WorkbenchError
from workbench.measure.exploration.matrix import Size
from workbench.measure.exploration.memory_limit import half_of_memory, machines_memory

ASK = """
from workbench.measure.exploration.matrix import Size, matrix
cells = matrix([{protocol}], {events}, sizes=[Size(1, ("steal_time",))], jobs=2)
print(len(cells), {{cell.protocol for cell in cells}}, {{cell.event for cell in cells}})
"""
OWN = """
from workbench.design import AfterBoot, Enter
from workbench.measure.variants import Variant
from workbench.protocols.generic import Generic


class Mine(Generic):
    name = "mine"
    title = "mine"


class Late(AfterBoot):
    name = "late"
    title = "late"

    def happen(self, scenario):
        yield Enter(0)
"""
SHIPPED = ASK.format(protocol='"null"', events='["boot"]')
OF_ITS_OWN = OWN + ASK.format(protocol="Variant.of(Mine)", events='["boot", Late()]')
GUARDED = OWN + 'if __name__ == "__main__":\n' + ASK.format(
    protocol="Variant.of(Mine)", events='["boot", Late()]').replace("\n", "\n    ")  # fmt: skip


def ran(folder, text, how):
    """Run a script from its file, from standard input, at the prompt, or as -c; return its process."""
    (folder / "script.py").write_text(text)
    arguments, given = {"file": (["script.py"], ""), "stdin": (["-"], text), "-c": (["-c", text], ""),
                        "prompt": (["-i", "-q"], text.replace("\n\n", "\n") + "\n")}[how]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], input=given, env=environment, cwd=folder,
                          capture_output=True, text=True, check=False, timeout=120)  # fmt: skip


@pytest.mark.parametrize("how", ["file", "stdin", "-c", "prompt"])
def test_a_script_without_a_guard_can_share_work(how, tmp_path):
    found = ran(tmp_path, SHIPPED, how)
    assert f"{len(FAILURES)} {{'null'}} {{'boot'}}" in found.stdout, found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("how", ["stdin", "-c"])
def test_classes_that_no_other_process_can_find_are_worked_on_here(how, tmp_path):
    found = ran(tmp_path, OF_ITS_OWN, how)
    assert f"{2 * len(FAILURES)} {{'mine'}}" in found.stdout, found.stderr


def test_classes_of_a_script_are_found_if_it_has_a_guard(tmp_path):
    assert f"{2 * len(FAILURES)} {{'mine'}}" in ran(tmp_path, GUARDED, "file").stdout


def test_a_script_with_classes_and_no_guard_is_told_so(tmp_path):
    found = ran(tmp_path, OF_ITS_OWN, "file")
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert last.startswith("workbench.errors.WorkbenchError: worker processes run ")
    assert last.endswith('put what it does, except its classes, under: if __name__ == "__main__":')
    assert found.stderr.count("Traceback") == 1


@contextmanager
def doing(text):
    """Begin in a worker; what it tells is ``text``."""
    if text == "cannot":
        raise WorkbenchError("it cannot begin")
    yield text, answer


class OddError(Exception):
    """Cannot travel: it is made of two things."""

    def __init__(self, one, two):
        super().__init__(one)


def answer(piece):
    if piece == "odd":
        raise OddError(1, 2)
    if piece == "end":
        os._exit(3)
    if piece == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if piece == "C":
        os.write(2, b"a library says why\n")
        os._exit(1)
    if isinstance(piece, BaseException):
        raise piece
    return piece, os.getpid()


def asked(piece):
    with Pool(1, doing, ["x"]) as workers:
        workers.give(piece)
        return workers.finished()


def gone(numbers):
    return [number for number in numbers if os.path.exists(f"/proc/{number}")] == []  # noqa: PTH110


def test_pieces_are_shared_and_nobody_is_left():
    with Pool(2, doing, ["hello"]) as workers:
        assert workers.hello == ["hello", "hello"]
        for piece in range(4):
            assert workers.idle
            workers.give(piece)
        assert not workers.idle
        found = []
        while workers.in_flight:
            found += workers.finished()
    assert sorted(piece for piece, _ in found) == [0, 1, 2, 3]
    numbers = {number for _, number in found}
    assert len(numbers) == 2
    assert gone(numbers)


@pytest.mark.parametrize(
    ("piece", "error", "says"),
    [
        (WorkbenchError("no", ["a"]), WorkbenchError, "no; known: a"), (MemoryError(), MemoryError, ""),
        (KeyboardInterrupt(), KeyboardInterrupt, ""), ("odd", RuntimeError, "OddError: 1"),
        ("end", EngineError, "ended by itself (status 3)"), ("kill", EngineError, "ended by itself (signal 9)"),
        ("C", EngineError, "(status 1): a library says why; perhaps memory is lacking"),
    ],
)  # fmt: skip
def test_a_failure_is_an_exception_here(piece, error, says, capfd):
    with pytest.raises(error) as raised:
        asked(piece)
    assert says in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_one_that_cannot_begin_says_why():
    with pytest.raises(WorkbenchError, match="it cannot begin"):
        Pool(2, doing, ["cannot"])


def test_a_worker_that_runs_a_script_again_begins_no_others(monkeypatch):
    monkeypatch.setattr(pool, "runs_again", "mine.py")
    with pytest.raises(WorkbenchError, match=r"'mine\.py' too"):
        Pool(1, doing, ["x"])


def test_which_script_work_needs(monkeypatch):
    assert script_of([1, "x", Size(1, ())]) is None
    monkeypatch.setattr(Size, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Size", Size, raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    assert script_of([Size(1, ())]) == __file__
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    with pytest.raises(NotSharedError):
        script_of([Size(1, ())])


def test_workers_share_the_memory_of_the_machine():
    (machine,) = machines_memory()
    assert half_of_memory(4) <= machine // 8
    assert half_of_memory(4) * 3 <= half_of_memory(1)


def test_closed_descriptors_are_not_taken_for_those_of_workers(tmp_path, capfd):
    line = f"{sys.executable} -m workbench matrix --events boot --protocols null --jobs 2 --state s -o m.txt"
    found = subprocess.run(["sh", "-c", f"{line} <&- >&- 2>&-"], cwd=tmp_path, check=False,
                           env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert found.returncode == 0
    assert main(["matrix", "--events", "boot", "--protocols", "null", "--jobs", "1"]) == 0
    assert (tmp_path / "m.txt").read_text() == capfd.readouterr().out
