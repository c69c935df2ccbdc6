"""The news that the VMM had stopped the guest: who loses it, or makes it up, fails; what ships tells it rightly."""

import pytest

from tests.content import stops
from workbench.checking.failures import FAILURES
from workbench.core.scenario import Scenario, stop_heard
from workbench.engines.explore import FAILS, HOLDS, NOT_EXERCISED
from workbench.engines.kvm.machine import KvmMachine
from workbench.engines.simulate import simulate
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS, choose_one
from workbench.measure.exploration.explore import Question, confirm, explore_question
from workbench.measure.variants import Variant, variant, variants

CLOCK = FEATURES["kvmclock"]
STOPS = ("vmm-pause", "migrate-told", "vmm-pause-revoked")
#: A mistake (of the design, the feature or the VMM), the event that shows it, how many vCPUs that takes, the property.
MISTAKES = [
    (stops.ForgetsTheNews, "vmm-pause", CLOCK, 1, "F26"),
    (stops.FirstVcpuOnly, "vmm-pause", CLOCK, 2, "F26"),
    (stops.AcceptsWithoutClock, "vmm-pause-revoked", CLOCK, 1, "F27"),
    (stops.TellsThoughRefused, "vmm-pause-revoked", CLOCK, 1, "F27"),
    ("per_feature", "vmm-pause", stops.ClearedByUpdate(), 1, "F26"),
    ("per_feature", stops.ToldTooEarly(), CLOCK, 1, "F26"),
]


def asked(kind, event, feature, vcpus):
    one = variant(kind) if isinstance(kind, str) else Variant.of(kind)
    return Question(one, EVENTS[event] if isinstance(event, str) else event, (feature,), vcpus)


@pytest.mark.parametrize(("kind", "event", "feature", "vcpus", "code"), MISTAKES, ids=lambda v: getattr(v, "name", v))
def test_a_mistake_fails_and_happens_again_on_bytes(kind, event, feature, vcpus, code):
    failure, question = FAILURES[code], asked(kind, event, feature, vcpus)
    found = explore_question(question, [failure])
    assert found.result.verdicts[code] == FAILS
    turns = [row.turn for row in found.trace(failure)]
    assert failure.holds(confirm(question, turns[:-1]))
    assert [one.what for one in failure.violations(confirm(question, turns))] == ["kvmclock"]


@pytest.mark.parametrize("design", ["per_feature", "generic+carry-registry"])
def test_what_ships_tells_each_vcpu(design):
    failures = [FAILURES["F26"], FAILURES["F27"]]
    verdicts = {event: explore_question(asked(design, event, CLOCK, 1), failures).result.verdicts for event in STOPS}
    assert [verdicts[event]["F26"] for event in STOPS] == [HOLDS, HOLDS, NOT_EXERCISED]
    assert [verdicts[event]["F27"] for event in STOPS] == [NOT_EXERCISED, NOT_EXERCISED, HOLDS]


def heard(notes):
    return {(key.cpu, key.name): value for key, value in notes.items() if key == stop_heard(key.cpu, key.name)}


@pytest.mark.kvm
@pytest.mark.parametrize("event", [*STOPS, "kexec+vmm-pause", "old-host+vmm-pause", "init-no-reregister+vmm-pause"])
@pytest.mark.parametrize("design", variants(["per_feature", "generic", "generic+carry-registry", "null"]), ids=str)
def test_a_real_kvm_answers_and_tells_the_same(design, event):
    happening, features = choose_one(event), choose()
    scenario = Scenario(design.protocol(features), features, vcpus=2)
    simulated = heard(simulate(scenario, happening).machine.notes)
    with KvmMachine(happening.adapt(scenario)) as machine:
        machine.play(happening.setup(machine.scenario))
        machine.play(happening.happen(machine.scenario))
        measured = heard(machine.notes)
    assert measured == simulated
    assert set(simulated) == (set() if event == "vmm-pause-revoked" else {(0, "kvmclock"), (1, "kvmclock")})
