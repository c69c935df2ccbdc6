"""Properties of content: each fails for a design with one mistake of its kind, on bytes too, and holds without it."""

import pytest

from tests.content import mistakes
from tests.content.cached_sum import CachedSum
from tests.content.one_updates_all import OneUpdatesAll
from workbench.checking.failures import FAILURES, choose
from workbench.core.host_state import registry
from workbench.core.kvm_registers import STEAL_TIME
from workbench.core.steps import Set
from workbench.engines.explore import FAILS, HOLDS, NOT_EXERCISED
from workbench.features import FEATURES, OTHERS
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.explore import Question, confirm, explore_question
from workbench.measure.variants import Variant, variant
from workbench.protocols.papr_vpa import H_PARAMETER, PaprVpa
from workbench.protocols.pvtime import PvTime

CLOCK, STEAL, FAULTS = (FEATURES[name] for name in ("kvmclock", "steal_time", "async_pf"))
#: A mistaken design, the event and size that show it, the property, and the design without the mistake.
MISTAKES = [
    (mistakes.NoPageCheck, "hostile-page-crossing", CLOCK, 1, "F07", "per_feature"),
    (mistakes.ReservedAccepted, "hostile-reserved-bits", STEAL, 1, "F03", "per_feature"),
    (mistakes.EnableIgnored, "hostile-not-enabled", STEAL, 1, "F03", "per_feature"),
    (mistakes.RegisterLeftByInit, "init-no-reregister", STEAL, 1, "F18", "per_feature"),
    (CachedSum, "migrate", STEAL, 1, "F19", "per_feature"),
    (OneUpdatesAll, "migrate", CLOCK, 2, "F20", "per_feature"),
    (mistakes.NeverWritten, "boot", CLOCK, 1, "F20", mistakes.WritesFirst),
    (mistakes.NeverWritten, "migrate", CLOCK, 1, "F20", mistakes.WritesFirst),
    (mistakes.RequestNotCleared, "boot", CLOCK, 1, "F21", "per_feature"),
    (mistakes.TokenOverwritten, "boot", FAULTS, 1, "F22", "per_feature"),
    (mistakes.AnswersFirst, "boot", STEAL, 1, "F24", "generic"),
    (mistakes.LeavesOutSteal, "migrate", STEAL, 1, "F02", "per_feature"),
]


def asked(kind, event, feature, vcpus):
    one = variant(kind) if isinstance(kind, str) else Variant.of(kind)
    return Question(one, EVENTS[event], (feature,), vcpus)


@pytest.mark.parametrize(
    ("kind", "event", "feature", "vcpus", "code", "right"),
    MISTAKES,
    ids=lambda value: getattr(value, "name", value),
)
def test_a_mistake_fails_and_happens_again_on_bytes(kind, event, feature, vcpus, code, right):
    failure = FAILURES[code]
    question = asked(kind, event, feature, vcpus)
    found = explore_question(question, [failure])
    assert found.result.verdicts[code] == FAILS
    turns = [row.turn for row in found.trace(failure)]
    assert failure.holds(confirm(question, turns[:-1]))
    assert not failure.holds(confirm(question, turns))
    assert feature.name in {what for what, *_ in failure.violations(confirm(question, turns))} or code == "F24"
    assert explore_question(asked(right, event, feature, vcpus), [failure]).result.verdicts[code] != FAILS


def test_the_fixes_of_both_historical_mistakes_hold():
    for kind, fix, feature, code in ((CachedSum, "add", STEAL, "F19"), (OneUpdatesAll, "each", CLOCK, "F20")):
        fixed = Question(Variant.of(kind, [fix]), EVENTS["migrate"], (feature,), 2)
        assert explore_question(fixed, choose([code])).result.verdicts[code] == HOLDS


def test_a_refused_call_that_changed_something_is_seen():
    failure = FAILURES["F23"]
    found = explore_question(asked("per_feature", "memslot-unplug", FAULTS, 1), [failure])
    assert found.result.verdicts["F23"] == FAILS  # ASYNC_PF_EN changes its register before it refuses (R10)
    found = explore_question(asked("per_feature", "boot", FAULTS, 1), [failure])
    assert found.result.verdicts["F23"] == NOT_EXERCISED


def test_a_version_that_stays_odd_is_never_readable():
    question = asked("generic", "boot", mistakes.OddForEver(), 1)
    failure = FAILURES["F25"]
    found = explore_question(question, [failure])
    (said,) = failure.violations(confirm(question, [row.turn for row in found.trace(failure)]))
    assert said.what == "odd_for_ever"
    assert "tells a reader to wait" in said.sentence
    assert explore_question(asked("generic", "boot", CLOCK, 1), [failure]).result.verdicts["F25"] == HOLDS


def test_a_design_without_a_registration_state_of_its_own_is_not_judged_by_it():
    question = asked(PvTime, "boot", OTHERS["stolen_time"], 1)
    assert explore_question(question, choose(["F18"])).result.verdicts["F18"] == NOT_EXERCISED


def test_what_differs_after_a_restore_is_named():
    class OtherBase(mistakes.PerFeature):
        name = "other_base"

        def restore(self, cpus, saved):
            moved = tuple((cpu, msr, value + 64 * (msr == STEAL_TIME.msr and value > 0)) for cpu, msr, value in saved)
            yield from super().restore(cpus, moved)

    failure, question = FAILURES["F09"], asked(OtherBase, "migrate", STEAL, 1)
    found = explore_question(question, [failure])
    said = failure.violations(confirm(question, [row.turn for row in found.trace(failure)]))
    assert len(said) == 2
    where = question.scenario.addresses.gpa(question.scenario.addresses.area(0, 0, STEAL))
    assert any(f"{where:#x}" in one.sentence and f"{where + 64:#x}" in one.sentence for one in said)


class KeepsForAnother(PaprVpa):
    """PAPR's call that, although it refuses, keeps the address: for another CPU."""

    name = "keeps_for_another"

    def on_hypercall(self, cpu, number, arguments):
        answer = yield from super().on_hypercall(cpu, number, arguments)
        if answer == H_PARAMETER:
            yield Set(registry(0, "kept"), (arguments[2], 0))
        return answer


def test_what_another_vcpu_registers_meanwhile_is_not_what_was_refused():
    """An address refused to one vCPU may be accepted from another, whose call is under way or not yet concluded."""
    question = asked("papr_vpa", "overlap-vcpus", OTHERS["vpa"], 2)
    assert explore_question(question, choose(["F16"])).result.verdicts["F16"] == HOLDS
    question = asked(KeepsForAnother, "hostile-bad-base", OTHERS["vpa"], 2)
    found = explore_question(question, choose(["F16"]))
    assert found.result.verdicts["F16"] == FAILS
    (said, *_) = FAILURES["F16"].violations(confirm(question, [row.turn for row in found.trace(FAILURES["F16"])]))
    assert "as registry kept of vCPU 0" in said.sentence
