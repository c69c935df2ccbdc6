"""The catalogue of failures, the matrix, and the findings that are required, each confirmed on bytes."""

import csv

import pytest

from tests.explore.engines import ENGINES
from tests.measure.golden_matrix import (
    MATRIX,
    MUST_HAVE,
    QUICK,
    VIOLATIONS,
    question,
    records,
    trace_file,
    trace_text,
    violations,
)
from tests.measure.golden_matrix import explored as golden_cells
from workbench.checking.failures import FAILURES, choose
from workbench.clayout.layout import U8
from workbench.core.event_steps import Begin
from workbench.core.slots import EVENT, ProgramName, vcpu_slot
from workbench.core.steps import GUEST, Load
from workbench.engines.explore import BOUNDED, FAILS, HOLDS, NOT_EXERCISED, Culprit
from workbench.engines.explore.vm import Bounds, explore_machine
from workbench.engines.simulate.schedule import Turn
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.cells import Cell, Violator, merged
from workbench.measure.exploration.explore import Question, confirm, explore_question, machine_of
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.exploration.mitigations import changes, mitigated, price
from workbench.measure.variants import variant, variants
from workbench.present.records import as_csv

# Failures that a boot in which nothing else happens must not have; the two of S are about what must be possible.
SAFE = [code for code, failure in FAILURES.items() if failure.kind == "always"]


def explored(protocol, event, features, vcpus=1, reads=0, codes=None, **options):
    asked = Question(variant(protocol), EVENTS[event], choose_features(features.split(",")), vcpus, Bounds(reads=reads))
    return explore_question(asked, choose(codes), **options)


def failing(protocol, event, features, vcpus=1, reads=0):
    verdicts = explored(protocol, event, features, vcpus, reads).result.verdicts
    assert BOUNDED not in verdicts.values()
    return {code for code, verdict in verdicts.items() if verdict == FAILS}


# -- the catalogue -----------------------------------------------------------------------------------------


def test_every_failure_tells_its_story():
    codes = list(FAILURES)
    assert codes == [f"F{n:02}" for n in range(1, 30)] + ["S01", "S02"]
    assert len({failure.name for failure in FAILURES.values()}) == len(codes)
    for failure in FAILURES.values():
        for text in (failure.what, failure.why, failure.example, failure.seen):
            assert len(text) > 8, failure.code


def test_failures_are_chosen_by_code_or_name():
    assert [failure.code for failure in choose(["double-fetch", "F01", "wrong vCPU"])] == ["F01", "F05", "F12"]
    with pytest.raises(WorkbenchError, match=r"unknown property 'F99'; known: stray-write \(F01\), "):
        choose(["F99"])


# -- what must be found ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MUST_HAVE, ids=lambda case: "-".join(map(str, case)))
def test_the_finding_is_there_and_happens_again_on_bytes(case):
    protocol, event, features, vcpus, code = case
    failure = FAILURES[code]
    asked = question(protocol, event, features, vcpus)
    rows = explore_question(asked, [failure]).trace(failure)
    turns = [row.turn for row in rows]
    assert failure.holds(confirm(asked, turns[:-1]))
    assert not failure.holds(confirm(asked, turns))


@pytest.mark.parametrize("case", MUST_HAVE, ids=lambda case: "-".join(map(str, case)))
def test_shortest_traces_are_golden(case):
    """After a change on purpose: python -m tests.measure.golden_matrix, and read the difference."""
    assert trace_text(case) == trace_file(case).read_text()


@pytest.mark.parametrize(
    ("protocol", "event", "features", "vcpus", "expected"),
    [
        ("generic", "boot", "steal_time", 2, set()),
        ("generic", "kexec", "steal_time", 1, set()),
        ("generic", "kexec-no-teardown", "steal_time", 1, {"F01"}),
        ("generic", "migrate", "steal_time", 1, {"F02"}),
        ("generic", "ignore-msrs", "steal_time", 1, {"F04"}),
        ("generic", "old-host", "steal_time", 1, set()),
        ("generic", "descriptor-race", "steal_time", 2, {"F05", "F15"}),
        ("generic", "i386-guest", "steal_time", 1, {"F14"}),
        ("generic", "encrypted-unshared", "steal_time", 1, {"F13", "S01", "S02"}),
        ("generic", "hostile-self", "steal_time", 1, {"F07", "F17"}),
        pytest.param("generic", "overlap-vcpus", "kvmclock", 2, {"F12", "F17"}, marks=pytest.mark.slow),
        ("per_feature", "boot", "steal_time", 2, set()),
        ("per_feature", "kexec", "steal_time", 1, set()),
        ("per_feature", "kexec-no-teardown", "steal_time", 1, {"F01"}),
        ("per_feature", "migrate", "steal_time", 1, set()),
        ("per_feature", "migrate", "wall_clock", 1, {"F10"}),
        ("per_feature", "migrate-no-state", "steal_time", 1, {"F02"}),
        ("per_feature", "ignore-msrs", "steal_time", 1, {"F04"}),
        ("per_feature", "descriptor-race", "steal_time", 2, set()),
        ("per_feature", "double-registration-crossing", "kvmclock", 1, {"F01", "F15", "F18"}),
        ("per_feature", "hostile-bad-base", "async_pf", 1, {"F04", "F16", "F18", "F23"}),
        ("per_feature", "i386-guest", "steal_time", 1, set()),
        ("per_feature", "memslot-unplug", "steal_time", 1, {"F11"}),
    ],
)
def test_the_same_event_under_both_designs(protocol, event, features, vcpus, expected):
    assert failing(protocol, event, features, vcpus) == expected


@pytest.mark.parametrize("event", ["boot", "kexec", "migrate"])
def test_a_design_in_which_nothing_happens_cannot_pass(event):
    assert failing("null", event, "steal_time") == {"S01", "S02"}


@pytest.mark.parametrize(
    ("bare", "mitigation", "event", "features", "vcpus", "cured"),
    [
        ("generic", "copy-once", "descriptor-race", "steal_time", 2, {"F05", "F15"}),
        ("generic", "pending-result", "ignore-msrs", "steal_time", 1, {"F04"}),
        ("generic", "carry-registry", "migrate", "steal_time", 1, {"F02"}),
        ("generic", "refuse-overlap", "overlap", "wall_clock,steal_time", 1, {"F17", "F25"}),
        ("generic", "init-revokes", "init-no-reregister", "steal_time", 1, {"F03"}),
        ("generic+carry-registry", "quiet-restore", "migrate", "wall_clock", 1, {"F10"}),
        ("per_feature", "commit-after-check", "hostile-bad-base", "async_pf", 1, {"F16", "F18", "F23"}),
        ("per_feature", "quiet-restore", "migrate", "wall_clock", 1, {"F10"}),
    ],
)
def test_a_mitigation_does_what_it_says(bare, mitigation, event, features, vcpus, cured):
    before, after = (failing(name, event, features, vcpus) for name in (bare, f"{bare}+{mitigation}"))
    assert before - after == cured
    assert after <= before


def test_revoking_on_crossing_makes_a_stale_area_a_silent_one():
    """R5 of per_feature: the old area is dropped, the new one is still not mapped, and the guest is not informed."""
    before = failing("per_feature", "double-registration-crossing", "kvmclock")
    after = failing("per_feature+revoke-on-crossing", "double-registration-crossing", "kvmclock")
    assert (before, after) == ({"F01", "F15", "F18"}, {"F04", "F18"})


@pytest.mark.slow
def test_the_limit_of_the_registry_bounds_what_an_endless_guest_leaves():
    codes = ["F08"]
    before = explored("generic", "hostile-endless", "pv_eoi", codes=codes)
    after = explored("generic+bound-registry", "hostile-endless", "pv_eoi", codes=codes)
    assert (before.result.verdict, after.result.verdict) == (FAILS, HOLDS)


def test_readers_accept_no_torn_payload_of_linux():
    assert failing("per_feature", "boot", "kvmclock", 2, reads=1) == set()


# -- the matrix --------------------------------------------------------------------------------------------


def rows_of(events, path=MATRIX):
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["event"] in events]


def as_read(found):
    return list(csv.DictReader(as_csv(found).splitlines()))


def test_the_golden_matrix_in_part():
    """After a change on purpose: python -m tests.measure.golden_matrix, and read the difference."""
    found = golden_cells(QUICK)
    assert as_read(records(found)) == rows_of(QUICK)
    assert as_read(violations(found)) == rows_of(QUICK, VIOLATIONS)


@pytest.mark.slow
def test_the_golden_matrix_in_full():
    found = golden_cells()
    assert as_csv(records(found)) == MATRIX.read_text()
    assert as_csv(violations(found)) == VIOLATIONS.read_text()


def test_one_violation_does_not_hide_another():
    """The golden list has the features that violate at every size, not only those on the shortest trace."""
    rows = rows_of(["kexec-no-teardown"], VIOLATIONS)
    found = {(row["protocol"], row["what"]) for row in rows if row["property"] == "F01"}
    features = ("steal_time", "kvmclock", "async_pf", "pv_eoi")
    assert found == {(protocol, what) for protocol in ("generic", "per_feature") for what in features}
    failing_cells = {(r["protocol"], r["event"], r["property"]) for r in rows_of(EVENTS) if r["verdict"] == FAILS}
    named = {(row["protocol"], row["event"], row["property"]) for row in rows_of(EVENTS, VIOLATIONS)}
    assert {code for _, _, code in failing_cells - named} <= {"S01", "S02"}
    assert named <= failing_cells


def test_every_event_is_in_the_golden_matrix():
    assert {row["event"] for row in rows_of(EVENTS)} == set(EVENTS)


def test_processes_share_the_work_and_find_the_same():
    events, asked = [EVENTS["boot"], EVENTS["old-host"]], choose(["F04", "S01"])
    alone, shared = (matrix(variants(["per_feature"]), events, asked, [Size(1, ("pv_eoi",))], jobs=n) for n in (1, 2))
    assert alone == shared
    assert [cell.verdict for cell in alone] == [HOLDS, HOLDS, FAILS, NOT_EXERCISED]


def test_a_limit_is_never_a_wrong_holds():
    result = explored("generic", "boot", "steal_time", 2, max_states=500).result
    assert {result.verdicts[code] for code in SAFE} == {BOUNDED}
    assert result.verdict == BOUNDED


def cell(verdict, steps=None, states=1, code="F01", features="a"):
    return Cell("p", "e", code, verdict, states, steps, "n", 1, features, (), states)


def test_cells_of_several_sizes_become_one():
    assert merged([cell(HOLDS, states=9), cell(FAILS, 7), cell(FAILS, 5)]) == cell(FAILS, 5)
    assert merged([cell(HOLDS, states=9), cell(BOUNDED), cell(HOLDS)]).verdict == BOUNDED
    assert merged([cell(HOLDS, states=9), cell(HOLDS)]).states == 9
    assert merged([cell(FAILS, code="S01"), cell(HOLDS, code="S01")]).verdict == HOLDS
    assert merged([cell(FAILS, code="S01"), cell(BOUNDED, code="S01")]).verdict == BOUNDED


def test_a_cell_is_exercised_if_it_is_at_one_size_and_never_holds_because_it_is_not():
    assert merged([cell(NOT_EXERCISED, states=9), cell(HOLDS)]).verdict == HOLDS
    assert merged([cell(NOT_EXERCISED), cell(NOT_EXERCISED)]).verdict == NOT_EXERCISED
    assert merged([cell(NOT_EXERCISED), cell(BOUNDED)]).verdict == BOUNDED
    assert merged([cell(NOT_EXERCISED, code="S01"), cell(FAILS, code="S01")]).verdict == FAILS


def test_a_cell_keeps_the_violators_of_all_sizes():
    one, other = (Violator(what, 1, what, 0, 1, steps) for what, steps in (("kvmclock", 9), ("steal_time", 7)))
    found = merged([cell(FAILS, 9)._replace(violators=(one,)), cell(FAILS, 7)._replace(violators=(other,))])
    assert (found.steps, found.violators) == (7, (one, other))
    assert found.record()["violators"] == "kvmclock,steal_time"


#: What is about something as soon as an area is registered and written.
AGREED = ("F02", "F04", "F11", "F18", "F25")


@pytest.mark.parametrize(
    ("protocol", "event", "features", "vcpus", "reads", "exercised"),
    [
        ("generic", "boot", "steal_time", 1, 0, {*AGREED, "F17", "F19", "F24"}),
        ("generic", "boot", "kvmclock", 2, 1, {*AGREED, "F06", "F12", "F17", "F21", "F24"}),
        ("generic", "descriptor-race", "steal_time", 2, 0, {"F05", "F12", "F15", "F16"}),
        ("per_feature", "migrate", "steal_time", 1, 0, {*AGREED, "F09", "F10", "F19"}),
        ("per_feature", "kexec", "steal_time", 1, 0, {*AGREED, "F01", "F15", "F19"}),
        ("generic", "hostile-page-crossing", "kvmclock", 1, 0, {"F07"}),
        ("generic", "second-page-gone", "wall_clock", 1, 0, {"F07", "F11"}),
        ("generic", "crash", "steal_time", 2, 0, {"F03"}),
        ("generic", "vmm-pause", "kvmclock", 1, 0, {"F26"}),
        ("generic", "vmm-pause-revoked", "kvmclock", 1, 0, {"F27"}),
        ("generic", "i386-guest", "steal_time", 1, 0, {"F14"}),
        ("generic", "encrypted", "steal_time", 1, 0, {"F13"}),
        ("generic", "hostile-bad-base", "steal_time", 1, 0, {"F16"}),
        ("per_feature", "double-registration-moved", "steal_time", 1, 0, {"F15"}),
        ("per_feature", "hostile-endless", "steal_time", 1, 0, {"F08"}),
        ("null", "boot", "steal_time", 1, 0, {"F03", "F16", "F23"}),
    ],
)
def test_a_property_is_exercised_where_its_premise_comes_about(protocol, event, features, vcpus, reads, exercised):
    result = explored(protocol, event, features, vcpus, reads, SAFE).result
    found = {code for code in SAFE if result.premises[code]}
    assert {code for code, verdict in result.verdicts.items() if verdict == NOT_EXERCISED} == set(SAFE) - found
    if event in ("boot", "migrate", "kexec"):
        assert found == exercised
    assert found >= exercised


#: kexec without teardown: states, states in which memory has a new owner, states after a stray write, and by whom.
COUNTED = (3248, 3010, 1716, {"kvmclock": Culprit(438, 24), "steal_time": Culprit(1522, 29)})


@pytest.mark.parametrize("tables", ENGINES)
def test_every_engine_counts_premises_and_culprits_alike(tables):
    asked = Question(variant("per_feature"), EVENTS["kexec-no-teardown"], choose_features(["kvmclock", "steal_time"]))
    machine = machine_of(asked, choose())
    result = explore_machine(machine, tables=tables)
    assert result.engine == tables
    assert (result.states, result.premises["F01"], result.hits["F01"]) == COUNTED[:3]
    assert next(found.culprits for found in result.findings if found.code == "F01") == COUNTED[3]


def test_mitigations_are_named_for_the_protocols_that_know_them():
    bare = variants(["generic", "per_feature"])
    assert [one.label for one in mitigated(bare, ["copy-once"])] == ["generic+copy-once"]
    assert len(mitigated(bare, ["all"])) == 2
    with pytest.raises(WorkbenchError, match="unknown mitigation 'nonsense'; known: all, "):
        mitigated(bare, ["nonsense"])


def test_what_a_mitigation_costs_is_measured():
    bare, carried = (price(variant(name), vcpus=2) for name in ("generic", "generic+carry-registry"))
    assert bare.uncarried > 0
    assert carried.uncarried == 0
    assert bare[:3] == carried[:3]
    assert [c.after for c in changes([cell(FAILS, 3)], [cell(HOLDS)])] == [HOLDS]


def test_a_protocol_from_a_file_is_explored_by_several_processes():
    """Cells, with their traces, come back as they are found in one process."""
    chosen = variants(["tests/protocols/data/third.py:RegisterArray"])
    events = [EVENTS[name] for name in ("boot", "migrate")]
    alone, shared = (matrix(chosen, events, sizes=[Size(1, ("wall_clock",))], jobs=jobs) for jobs in (1, 2))
    assert [cell.record() for cell in shared] == [cell.record() for cell in alone]
    assert {cell.verdict for cell in alone} == {HOLDS, FAILS, NOT_EXERCISED}
    traces = [[[row.turn for row in cell.trace or ()] for cell in cells] for cells in (alone, shared)]
    assert traces[0] == traces[1]
    assert any(traces[0])


def test_an_event_that_cannot_happen_is_refused():
    with pytest.raises(WorkbenchError, match="needs at least 2 vCPUs; here are 1"):
        explored("generic", "descriptor-race", "steal_time", 1)
    with pytest.raises(WorkbenchError, match="none of the events can happen at these sizes"):
        matrix(variants(["generic"]), [EVENTS["descriptor-race"]], sizes=[Size(1, ("steal_time",))])


def test_a_schedule_that_does_not_fit_is_refused():
    asked = question("generic", "boot", "steal_time", 1)
    load = Turn.of(vcpu_slot(0), (GUEST, Load(0, U8)))
    with pytest.raises(WorkbenchError, match=r"turn 1: vcpu0 has nothing to do"):
        confirm(asked, [load])
    boot = Turn.of(EVENT, Begin(0, ProgramName("boot", (), 0, 0, 0)))
    with pytest.raises(WorkbenchError, match=r"turn 2: vcpu0 is about to store kvm_steal_time of zeros"):
        confirm(asked, [boot, load])
    with pytest.raises(WorkbenchError, match=r"turn 1: no slot or action \('Slot', 'vcpu', 1\) in this scenario of 1"):
        confirm(asked, [Turn.of(vcpu_slot(1), (GUEST, Load(0, U8)))])
