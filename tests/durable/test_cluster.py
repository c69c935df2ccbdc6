"""Dask workers share work: the same bytes as one machine, also if one of them is killed; other versions are refused."""

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import threading

import pytest

from tests.durable.ways import MATRICES, WAYS, ran
from workbench.cli import main
from workbench.durable import carry, content
from workbench.durable import cluster as clusters
from workbench.errors import WorkbenchError

MINE = """
from helper import WHO
from workbench.protocols.generic import Generic

class Mine(Generic):
    name = "mine"
    title = f"mine of {WHO}"
"""


HELPER = "WHO = 'me'\n"
SMALL = "--protocols generic,mine.py:Mine --vcpus 1 --features steal_time --events boot,kexec,migrate,init,overlap"


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


def test_where_an_event_loop_runs_already(capsys):
    """As in a notebook's kernel."""
    pytest.importorskip("distributed")
    before, loop = asyncio._get_running_loop(), asyncio.new_event_loop()
    asyncio._set_running_loop(loop)
    try:
        assert main(["matrix", "--events", "boot", "--scheduler", "nonsense://x:1"]) == 2
    finally:
        asyncio._set_running_loop(before)
        loop.close()
    assert "no scheduler of Dask answers at 'nonsense://x:1'" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silent", "another service"])
def test_somebody_who_is_no_scheduler(answer, monkeypatch, capsys):
    pytest.importorskip("distributed")
    monkeypatch.setattr(clusters, "_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        met = []

        def meet():
            with contextlib.suppress(OSError):
                while True:
                    met.append(server.accept()[0])
                    met[-1].sendall(answer)

        threading.Thread(target=meet, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert main(["matrix", "--events", "boot", "--scheduler", address]) == 2
        server.shutdown(socket.SHUT_RDWR)
    assert f"no scheduler of Dask answers at {address!r}" in capsys.readouterr().err
    for connection in met:
        connection.close()


def test_another_version_is_one_line():
    ours = carry.versions()
    carry.refuse(ours, dict(ours), "the worker")
    with pytest.raises(WorkbenchError) as told:
        carry.refuse(ours, {**ours, "numpy": "1.0", "workbench": "x"}, "the worker at tcp://h:1")
    assert str(told.value) == (
        f"the worker at tcp://h:1 is of another version: numpy is 1.0 there, {ours['numpy']} here; "
        f"workbench is x there, {ours['workbench']} here; install the same there"
    )


@contextlib.contextmanager
def failing():
    """Begin in a worker (``durable.share``); a piece is what happens to it."""

    def work(piece):
        if piece == "no memory":
            raise MemoryError
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory is lacking

    yield None, work


@pytest.mark.parametrize(
    ("piece", "of", "says"),
    [("no memory", {}, "the worker at tcp://h:1 is out of memory; ask for fewer vCPUs"),
     ("is killed", {}, "a process of the worker at tcp://h:1 ended by itself (signal 9); perhaps memory is"),
     ("joins late", {"numpy": "1.0"}, "the worker at tcp://h:1 is of another version: numpy is")],
)  # fmt: skip
def test_a_worker_that_fails_is_named(piece, of, says, monkeypatch):
    monkeypatch.setattr(carry, "_me", lambda: "the worker at tcp://h:1")
    ours = carry.versions()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(content, "versions", lambda: {**ours, **of})
        work = carry.packed(failing, (), 1)
    went_well, _, answer = carry.carry(piece, work, pickle.dumps(piece))
    carry.end(piece)
    assert not went_well
    assert says in str(pickle.loads(answer)[1])


def test_the_same_bytes_by_a_cluster_one_of_whose_two_workers_is_killed_half_way(tmp_path, monkeypatch):
    """An author's file travels by content: the module that it imports is changed before the workers get to it."""
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helper.py").write_text(HELPER)
    packed = carry.packed

    def changed_behind_it(*work):
        found = packed(*work)
        (tmp_path / "helper.py").write_text("raise RuntimeError('of this machine')\n")
        return found

    def changed_back(pool):
        close(pool)
        (tmp_path / "helper.py").write_text(HELPER)

    close = clusters.ClusterPool.close
    monkeypatch.setattr(carry, "packed", changed_behind_it)
    monkeypatch.setattr(clusters.ClusterPool, "close", changed_back)
    found = ran(WAYS[-1], SMALL, tmp_path / "cluster")
    found.check(ran(WAYS[0], SMALL, tmp_path / "here"))
    assert found.seen.lost[0] > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_same_bytes_in_every_way(tmp_path):
    pytest.importorskip("distributed")
    first = None
    for way in WAYS:
        found = ran(way, MATRICES["large"], tmp_path / way.name)
        first = first or found
        found.check(first)
        assert bool(found.engines["numba"]) == bool(way.threads)
        assert bool(found.seen.lost) == way.kills


@pytest.mark.slow
@pytest.mark.parametrize("command", ["verdict generic null --quick", "history --bug B1,B4,K1,K15"])
def test_the_same_bytes_of_other_commands(command, tmp_path):
    pytest.importorskip("distributed")
    outputs = []
    for number, who in enumerate(["--jobs 1", "--jobs 2", "--cluster local:2"]):
        path = tmp_path / f"{number}.txt"
        assert main([*command.split(), *who.split(), "-o", str(path)]) == 0
        outputs.append(path.read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
