"""What the replay tests share: where files are, and which engines can run them here."""

import os
import subprocess
import sys

import pytest

from workbench import replay
from workbench.errors import EngineError
from workbench.measure.variants import Variant, features_of
from workbench.protocols import find


@pytest.fixture(params=["sim", pytest.param("kvm", marks=pytest.mark.kvm)])
def engine(request):
    """Return each engine that replays; skip one that cannot here, with its reason."""
    try:
        return replay.find_engine(request.param)
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture
def protocol_of():
    """Return what makes the protocol of a machine, ``per_feature`` if it names none."""

    def made(name):
        kind = find(name or "per_feature")
        return kind(features_of(Variant.of(kind), None))

    return made


@pytest.fixture
def play(protocol_of):
    """Return a function that plays lines of a replay file and returns the results."""

    def play_lines(*lines, engine="sim", name="f.jsonl"):
        file = replay.parse(name, "\n".join(lines).encode())
        return list(replay.play([file], replay.find_engine(engine), protocol_of))

    return play_lines


@pytest.fixture
def run_workbench(repo, tmp_path):
    """Return a function that runs the command line in a folder of its own."""

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(repo)}
        command = [sys.executable, "-m", "workbench", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return run
