"""Dask workers share work: the same bytes as one machine, also if one of them is killed; other versions are refused."""

import subprocess
import sys

import pytest

from workbench.cli import main
from workbench.durable import carry
from workbench.durable import cluster as clusters
from workbench.durable.cluster import cluster
from workbench.errors import WorkbenchError
from workbench.measure.exploration.matrix import Size, matrix

MINE = """
from helper import WHO
from workbench.protocols.generic import Generic

class Mine(Generic):
    name = "mine"
    title = f"mine of {WHO}"
"""


def found(**how):
    return [str(cell) for cell in matrix(["null", "mine.py:Mine"], ["boot"], sizes=[Size(1, ("steal_time",))], **how)]


def test_without_dask_it_is_said_in_one_line_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    assert main(["matrix", "--events", "boot", "--cluster", "local:2"]) == 2
    assert capsys.readouterr().err == "workbench: a cluster needs Dask: pip install 'paravirt-workbench[cluster]'\n"


@pytest.mark.parametrize(
    ("option", "says"),
    [("--cluster=2", "'2' is not local:N; for other machines"), ("--cluster=local:0", "0 is out of range"),
     ("--cluster=local:2 --jobs=2", "not allowed with argument")],
)  # fmt: skip
def test_wrong_options_are_told(option, says, capsys):
    assert main(["matrix", *option.split()]) == 2
    assert says in capsys.readouterr().err


def test_nobody_at_an_address(capsys):
    pytest.importorskip("distributed")
    assert main(["matrix", "--events", "boot", "--scheduler", "nonsense://x:1"]) == 2
    assert "no scheduler of Dask answers at 'nonsense://x:1'" in capsys.readouterr().err


def test_another_version_is_one_line():
    ours = carry.versions()
    carry.refuse(ours, dict(ours), "the worker")
    with pytest.raises(WorkbenchError) as told:
        carry.refuse(ours, {**ours, "numpy": "1.0", "workbench": "x"}, "the worker at tcp://h:1")
    assert str(told.value) == (
        f"the worker at tcp://h:1 is of another version: numpy is 1.0 there, {ours['numpy']} here; "
        f"workbench is x there, {ours['workbench']} here; install the same there"
    )


def test_an_authors_file_travels_and_a_lost_worker_costs_nothing(tmp_path, monkeypatch):
    """Two workers, one of which is killed while it has work."""
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helper.py").write_text("WHO = 'me'\n")
    here = found()
    started, start = [], subprocess.Popen

    def remembered(command, *rest, **more):
        process = start(command, *rest, **more)
        if "distributed.cli.dask_worker" in command:
            started.append(process)
        return process

    monkeypatch.setattr(clusters.subprocess, "Popen", remembered)
    with cluster(local=2) as crew:
        assert sorted(crew.client.nthreads().values()) == [1, 1]
        done = []

        def one_is_killed(count, of, task):
            done.append(task)
            if count == 1:
                started[0].kill()

        assert found(jobs=crew, progress=one_is_killed) == here
        assert len(done) == 2
    assert all(process.poll() is not None for process in started)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["matrix --events boot,kexec,migrate", "history --bug B1,B4,K1,K15"])
def test_the_same_bytes_however_work_is_shared(command, tmp_path):
    pytest.importorskip("distributed")
    outputs = []
    for number, who in enumerate(["--jobs 1", "--jobs 2", "--cluster local:2"]):
        path = tmp_path / f"{number}.txt"
        line = [sys.executable, "-m", "workbench", *command.split(), *who.split(), "-o", str(path)]
        subprocess.run(line, check=False, capture_output=True)
        outputs.append(path.read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
