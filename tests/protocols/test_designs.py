"""Every shipped design: it is declared, runs under every engine, and is what its page of docs says."""

import shutil

import pytest

from tests.protocols.designs import DESIGNS
from workbench.core.scenario import Scenario
from workbench.engines.kvm.probe import probe
from workbench.engines.simulate import simulate
from workbench.lifecycle import EVENTS
from workbench.measure.design_check.check import check
from workbench.measure.exploration.crosscheck import Setting, crosscheck
from workbench.measure.on_kvm.runs import measure_on_kvm
from workbench.measure.variants import Variant, features_of

KVM = probe()
#: Designs in which vCPUs disturb each other, as they do on a real machine, with the mitigations without which they do.
RACES = {"indexed": ("per-vcpu-select",)}
each_design = pytest.mark.parametrize("name", DESIGNS)


def scenario(name, vcpus=2):
    one = Variant.of(DESIGNS[name])
    features = features_of(one)
    return Scenario(one.protocol(features), features, vcpus=vcpus)


@each_design
def test_it_is_declared_and_registers_at_boot(name):
    assert DESIGNS[name].source
    found = simulate(scenario(name), EVENTS["boot"])
    assert "registered" in {fate.value for fate in found.fates.values()}
    at_boot = {feature.name for feature in found.scenario.features if feature.linux_boot is not None}
    fates = {fate.value for (_, name), fate in found.fates.items() if name in at_boot}
    assert fates <= {"registered", "unsupported"}


@each_design
def test_many_vcpus_at_once_are_like_one_by_one(name):
    for event in ("boot", "kexec", "migrate"):
        together, alone = (simulate(scenario(name, 40), EVENTS[event], lanes=lanes) for lanes in (True, False))
        assert together.counts == alone.counts
        assert together.machine.entries == alone.machine.entries


@pytest.mark.slow
@each_design
def test_workbench_check_finds_nothing(name):
    assert [line for line in check(name).lines if line.status == "FAIL" and "(known: " not in line.text] == []


@pytest.mark.spin
@pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not installed")
@pytest.mark.parametrize(
    "event",
    [
        "migrate",
        *(pytest.param(event, marks=pytest.mark.slow) for event in ("boot", "kexec", "memslot-unplug")),
    ],
)
@each_design
def test_spin_counts_the_same_states_and_verdicts(name, event):
    (compared,) = crosscheck([Variant.of(DESIGNS[name])], [Setting(event, 1, ("steal_time",))])
    assert compared.equal, compared.opinion


@pytest.mark.kvm
@pytest.mark.skipif(not KVM.available, reason=KVM.line)
@pytest.mark.parametrize("event", ["boot", "kexec", "migrate", "cpu-unplug"])
@each_design
def test_a_real_machine_agrees(name, event):
    one = Variant.of(DESIGNS[name], RACES.get(name, ()))
    measured = measure_on_kvm(one, features_of(one), 2, EVENTS[event])
    simulated = simulate(scenario(name), EVENTS[event])
    words = {(feature, word) for feature, found in measured.words.items() for word in found}
    assert words == {(feature, fate.value) for (_, feature), fate in simulated.fates.items()}
    assert measured.user_exits == simulated.counts["exits"]
