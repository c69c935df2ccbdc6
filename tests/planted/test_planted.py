"""Mistakes planted by hand in the shipped designs: each is seen by the property, or in the table, that it is about."""

import pytest

from tests.planted import in_generic, in_per_feature
from tests.planted.planted import Planted
from workbench.checking.failures import FAILURES
from workbench.engines.explore import FAILS
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure.comparison.runs import measured
from workbench.measure.exploration.explore import Question, confirm, explore_question
from workbench.measure.variants import variant

PLANTED = {
    f"{base}: {one.name}": (base, one)
    for base, several in (("per_feature", in_per_feature.PLANTED), ("generic", in_generic.PLANTED))
    for one in several
}
EXPLORED = [
    pytest.param(name, marks=pytest.mark.slow if one.is_slow else ())
    for name, (_, one) in PLANTED.items()
    if one.code != "table"
]
SIMULATED = [name for name, (_, one) in PLANTED.items() if one.code == "table"]


@pytest.mark.parametrize("name", EXPLORED)
def test_a_planted_mistake_fails_where_the_right_design_does_not(name, tmp_path):
    base, one = PLANTED[name]
    failure = FAILURES[one.code]

    def found(protocol):
        question = Question.of(protocol, one.event, one.features.split(","), one.vcpus)
        return explore_question(question, [failure])

    right, wrong = found(one.named(base)), found(one.written(base, tmp_path))
    assert wrong.result.verdicts[one.code] == FAILS
    if right.result.verdicts[one.code] == FAILS:  # another feature, or another entry, fails in the right design
        assert set(wrong.finding(failure).culprits) - set(right.finding(failure).culprits)
    if failure.kind == "always":
        state = confirm(wrong.question, [row.turn for row in wrong.trace(failure)])
        assert failure.violations(state), "the bytes do not show what the explorer found"


def told(protocol, one):
    """Return what the tables show of a protocol, which is all that a run measures except for its name."""
    run = measured(variant(protocol), choose(), one.vcpus, EVENTS[one.event])
    return [part for name, part in vars(run).items() if name not in ("scenario", "event")]


@pytest.mark.parametrize("name", SIMULATED)
def test_a_planted_mistake_changes_a_table(name, tmp_path):
    base, one = PLANTED[name]
    assert told(one.written(base, tmp_path), one) != told(one.named(base), one)


@pytest.mark.parametrize(("base", "mitigations"), [("per_feature", ()), ("generic", ("carry-registry",))])
def test_a_copy_without_a_mistake_changes_none(base, mitigations, tmp_path):
    one = Planted("copy", "migrate-damaged", 2, "all", "table", (), mitigations)
    assert told(one.written(base, tmp_path), one) == told(one.named(base), one)
