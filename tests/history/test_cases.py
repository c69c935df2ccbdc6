"""The design with a bug fails as it did, the fixed design holds, and each trace is confirmed on concrete memory."""

from dataclasses import replace

import pytest

from tests.history.explored import BY_NAME, outcome
from workbench.history import ASKED, BUGS, CASES, EVIDENCE, LEFT_OUT, choose, explore_cases, failing
from workbench.measure.exploration.explore import confirm

each_case = pytest.mark.parametrize("name", list(BY_NAME))


@each_case
def test_fails_as_it_did(name):
    found = outcome(name)
    assert found.broken.result.limit is None
    assert found.failed == found.case.fails, f"fails in {failing(found.broken)}"


#: What the fix makes impossible: a restore that refuses restores nothing; a buffer that is kept has no new owner.
PREVENTED = {("riscv-restore-unchecked", "F09"), ("tdx-late-answer", "F01")}


@each_case
def test_holds_as_fixed(name):
    found = outcome(name)
    assert found.fixed.result.limit is None
    said = found.fixed.result.verdicts
    expected = {code: "NOT EXERCISED" if (name, code) in PREVENTED else "HOLDS" for code in found.case.fails}
    assert {code: said[code] for code in found.case.fails} == expected
    assert said["S01"] == "HOLDS", "nothing registers: what holds there says nothing"
    assert found.reproduced


@each_case
def test_every_failure_is_confirmed_on_bytes(name):
    found = outcome(name)
    for code in found.case.fails:
        rows = found.trace(code)
        if rows is None:
            assert ASKED[code].kind == "sometimes"
            continue
        machine = confirm(found.broken.question, [row.turn for row in rows])
        assert not ASKED[code].holds(machine)


@each_case
def test_the_same_ends_well_one_step_earlier(name):
    """The trace is the shortest: before its last step nothing has failed yet."""
    found = outcome(name)
    rows = found.trace(found.case.fails[0])
    if rows:
        machine = confirm(found.broken.question, [row.turn for row in rows[:-1]])
        assert ASKED[found.case.fails[0]].holds(machine)


def test_every_bug_is_a_case_or_left_out_with_a_reason():
    assert list(BUGS) == [f"{kind}{n}" for kind, count in (("B", 23), ("K", 25), ("V", 9)) for n in range(1, count + 1)]
    modelled = {bug for case in CASES for bug in case.bugs}
    assert modelled | set(LEFT_OUT) == set(BUGS)
    assert not modelled & set(LEFT_OUT)
    assert all(len(reason.split()) > 5 for reason in LEFT_OUT.values())


@each_case
def test_a_case_is_complete(name):
    case = BY_NAME[name]
    assert case.bugs
    assert set(case.bugs) <= set(BUGS)
    assert case.fails
    assert set(case.fails) <= set(ASKED)
    assert case.evidence in EVIDENCE
    assert case.source
    assert case.fix
    assert case.broken != case.fixed
    assert set(case.fixed.fixes) <= set(case.fixed.kind.mitigations_known)


def test_names_are_unique():
    assert len(BY_NAME) == len(CASES)


def test_the_oracle_can_say_no():
    case = BY_NAME["riscv-false-success"]
    (not_fixed,) = explore_cases((replace(case, fixed=case.broken),))
    assert not_fixed.fails_as_it_did
    assert not not_fixed.holds_as_fixed
    (never_broken,) = explore_cases((replace(case, broken=case.fixed),))
    assert not never_broken.fails_as_it_did
    (other_failure,) = explore_cases((replace(case, fails=("F05",)),))
    assert not other_failure.reproduced


def test_cases_are_chosen_by_bug_and_by_name():
    assert [case.name for case in choose(["B7"])] == ["index-not-migrated", "papr-not-migrated", "riscv-not-migrated"]
    assert [case.name for case in choose(["lost-flush"])] == ["lost-flush"]
    assert choose() == CASES
