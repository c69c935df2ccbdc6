"""Which batches of lanes a run has had."""

from typing import NamedTuple

import pytest

from workbench.engines.simulate.lanes import AtOnce


class Batches(NamedTuple):
    turns: list
    fates: list


@pytest.fixture
def batches(monkeypatch):
    """Record whether each batch of lanes was sound: of turns, which take steps, and of questions, which take none."""
    found = Batches([], [])

    def noting(at_once, cpus, steps, act):
        answers = run(at_once, cpus, steps, act)
        (found.turns if steps else found.fates).append(answers is not None)
        return answers

    run = AtOnce.run
    monkeypatch.setattr(AtOnce, "run", noting)
    return found
