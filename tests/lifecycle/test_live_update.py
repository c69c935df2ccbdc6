"""A host live update: what the kernel kept is lost unless it is carried, what the VMM serves stays."""

import pytest

from tests.lifecycle.test_under_vmm import DESIGNS, run
from workbench.cli import main
from workbench.core.outcome import Fate
from workbench.features import SHIPPED


def fates_of(done):
    return {name: fate for (_, name), fate in done.fates.items()}


def test_it_separates_who_serves_in_one_design():
    updated, moved = (fates_of(run("generic", event)) for event in ("host-live-update", "migrate"))
    for name, fate in updated.items():
        by_user = SHIPPED[name].served_by == "user"
        if moved[name] is Fate.LOST:
            assert fate is (Fate.REGISTERED if by_user else Fate.LOST), name
    assert updated["watchdog"] is Fate.REGISTERED
    assert moved["watchdog"] is Fate.LOST
    assert updated["steal_time"] is Fate.LOST


@pytest.mark.parametrize("design", DESIGNS)
def test_no_design_loses_more_than_in_a_migration(design):
    updated, moved = (fates_of(run(design, event)) for event in ("host-live-update", "migrate"))
    assert updated.keys() == moved.keys()
    assert all(fate is moved[name] or moved[name] is Fate.LOST for name, fate in updated.items())


@pytest.mark.parametrize("features", ["steal_time", "watchdog"])
def test_the_explorer_says_so_too(features, capsys):
    asked = ["generic", "--events", "host-live-update", "--features", features, "--vcpus", "1", "--property", "F02"]
    assert main(["explore", *asked]) == 0
    assert ("lost registration (F02)" in capsys.readouterr().out) is (features == "steal_time")


@pytest.mark.spin
def test_spin_agrees():
    asked = ["--events", "host-live-update", "--features", "watchdog", "--vcpus", "1"]
    assert main(["crosscheck", "generic", *asked]) == 0


@pytest.mark.kvm
def test_a_real_kvm_agrees(capsys):
    assert main(["kvm", "--events", "host-live-update", "--protocols", "generic,per_feature", "--vcpus", "2"]) == 0
    assert "The words of every area are the same in 2 of 2 runs." in capsys.readouterr().out
