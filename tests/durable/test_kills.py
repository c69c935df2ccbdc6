"""Commands that are killed at random times: old results stay, nothing is left, a resumed run gives the same bytes."""

import signal

import pytest

from tests.durable.kills import WORKS, campaign

KVM = {name: pytest.mark.kvm for name, work in WORKS.items() if work.needs_kvm}


@pytest.mark.parametrize(
    ("name", "number", "with_state"),
    [("matrix", signal.SIGKILL, True), ("explore", signal.SIGINT, True), ("history", signal.SIGTERM, False)],
)
def test_some_kills(name, number, with_state, tmp_path):
    wrong = []
    found = campaign(WORKS[name], tmp_path, 1, 7, wrong, signals=[number], states=[with_state])
    assert not wrong
    assert found.total() > 1


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", [pytest.param(name, marks=KVM.get(name, ())) for name in WORKS])
def test_many_kills(name, tmp_path):
    wrong = []
    found = campaign(WORKS[name], tmp_path, 30, 1, wrong)
    assert not wrong
    assert found.total() - found["slowest"] == 30 * 3 * 2
