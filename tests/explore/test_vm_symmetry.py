"""Symmetry of vCPUs: the same verdicts, only real traces, and fewer states."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.checking.failures import FAILURES
from workbench.clayout.layout import Abi
from workbench.core.scenario import Scenario
from workbench.engines.explore import Property
from workbench.engines.explore.model import SymmetryError
from workbench.engines.explore.vm import Bounds, MachineModel, Merging, asking, explore_machine
from workbench.engines.explore.vm.symmetry.exchange import Exchange
from workbench.engines.explore.vm.variables import MEMSLOTS
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.explore import Question, confirm, explore_question
from workbench.measure.variants import variant
from workbench.protocols.per_feature import PerFeature

from . import asymmetric
from .engines import HERE

THIRD = f"{Path(__file__).parents[1] / 'protocols' / 'data' / 'third.py'}:RegisterArray"
STEAL = choose(["steal_time"])
FEWEST = Bounds(updates=0)


def machine(protocol, event, vcpus, bounds=FEWEST, features=STEAL):
    def properties(model):
        return [Property(f.code, f.name, f.kind, asking(model, f.holds)) for f in FAILURES.values()]

    return MachineModel(Scenario(protocol(features), features, vcpus=vcpus), event, properties, bounds)


def both_ways(protocol, event, vcpus, bounds=FEWEST, features=STEAL):
    """The result without symmetry, the one with it, and what was merged; verdicts and lengths of traces are equal."""
    every = explore_machine(machine(protocol, event, vcpus, bounds, features))
    model = machine(protocol, event, vcpus, bounds, features)
    merged = explore_machine(model, symmetry=True)
    assert merged.verdicts == every.verdicts
    assert lengths(merged) == lengths(every)
    assert (merged.deadlocks > 0, merged.depth) == (every.deadlocks > 0, every.depth)
    return every, merged, model.merging


def lengths(result):
    return {finding.code: finding.trace and len(finding.trace) for finding in result.findings}


# -- the same verdicts --------------------------------------------------------------------------------------

def slow(*case):
    """A case that takes more than two seconds, like others that are run by default."""
    return pytest.param(*case, marks=pytest.mark.slow)


ALIKE = [
    ("null", "boot", 4),
    ("null", "kexec", 3),
    ("generic", "boot", 2),
    ("generic", "ignore-msrs", 3),
    slow("generic", "kexec-no-teardown", 2),
    slow("generic+copy-once", "kexec", 2),
    ("generic+pending-result", "double-registration", 2),
    ("generic", "i386-guest", 2),
    slow("generic+refuse-overlap", "memslot-return", 2),
    ("per_feature", "boot", 3),
    ("per_feature", "old-host", 4),
    ("per_feature", "kexec", 2),
    slow("per_feature", "kexec-no-teardown", 3),
    ("per_feature", "memslot-unplug", 2),
    (THIRD, "boot", 3),
    (THIRD, "kexec-no-teardown", 2),
]


@pytest.mark.parametrize(("name", "event", "vcpus"), ALIKE, ids=lambda case: str(case).rpartition(":")[2])
def test_all_vcpus_are_alike(name, event, vcpus):
    every, merged, merging = both_ways(variant(name).protocol, EVENTS[event], vcpus)
    assert merging.cpus == tuple(range(vcpus))
    assert merging.reasons == []
    assert merged.states < every.states
    assert merged.stands_for == every.states


PAUSED = [
    ("generic", "migrate"),
    ("generic+carry-registry", "migrate"),
    ("generic+carry-registry", "migrate-damaged"),
    slow("per_feature", "migrate-no-state"),
    ("per_feature", "migrate-reordered"),
    pytest.param("per_feature", "migrate-damaged", marks=pytest.mark.slow),
    (THIRD, "migrate"),
]


@pytest.mark.parametrize(("name", "event"), PAUSED, ids=lambda case: str(case).rpartition(":")[2])
def test_vcpus_that_are_paused_and_restored_in_turn(name, event):
    every, merged, merging = both_ways(variant(name).protocol, EVENTS[event], 2)
    assert merging.cpus == (0, 1)
    assert merged.states < every.states <= merged.stands_for


OTHERS = [
    slow("per_feature", "crash", "steal_time", (1, 2)),
    slow("generic", "encrypted", "steal_time", (1, 2)),
    slow("generic+revoke-all", "boot", "steal_time", (1, 2)),
    ("per_feature", "boot", "wall_clock,pv_eoi", (1, 2)),
    ("per_feature", "cpu-hotplug", "steal_time", (0, 1)),
    ("per_feature", "hostile-bad-base", "pv_eoi", (1, 2)),
    ("per_feature", "suspend-resume", "pv_eoi", ()),
]


@pytest.mark.parametrize(("name", "event", "features", "cpus"), OTHERS, ids=str)
def test_some_vcpus_are_not_like_the_others(name, event, features, cpus):
    chosen = choose(features.split(","))
    every, merged, merging = both_ways(variant(name).protocol, EVENTS[event], 3, features=chosen)
    assert merging.cpus == cpus
    assert merging.reasons
    assert merged.states < every.states if cpus else merged.states == every.states


@pytest.mark.slow
def test_no_more_than_five_are_exchanged():
    every, merged, merging = both_ways(variant("null").protocol, EVENTS["old-host"], 6)
    assert merging == Merging((0, 1, 2, 3, 4), ["6 vCPUs are alike; 5 of them are exchanged"])
    assert merged.stands_for == every.states


@pytest.mark.parametrize("event", [slow("boot"), slow("migrate-damaged"), "ignore-msrs"])
def test_updates_and_readings_are_exchanged_too(event):
    _, _, merging = both_ways(PerFeature, EVENTS[event], 2, Bounds(1, 1))
    assert merging.cpus == (0, 1)


@pytest.mark.parametrize(("event", "vcpus"), [("boot", 2), slow("migrate-damaged", 2)])
def test_the_engines_see_the_same_representatives(event, vcpus):
    def seen(tables):
        found = explore_machine(machine(PerFeature, EVENTS[event], vcpus), symmetry=True, tables=tables)
        return found.states, found.transitions, found.depth, found.hits, lengths(found), found.stands_for

    first, *others = map(seen, HERE)
    assert others == [first] * len(others)


REPLAYED = [
    ("generic", "kexec-no-teardown", 2, "F01"),
    ("generic", "migrate", 2, "F02"),
    ("per_feature", "crash", 3, "F03"),
    ("generic", "ignore-msrs", 3, "F04"),
    ("generic+carry-registry", "migrate-damaged", 2, "F09"),
    ("generic+carry-registry", "migrate-damaged", 2, "F15"),
    ("per_feature", "migrate-damaged", 2, "F15"),
]


@pytest.mark.parametrize(("name", "event", "vcpus", "code"), REPLAYED)
def test_a_finding_among_representatives_is_real(name, event, vcpus, code):
    failure = FAILURES[code]
    asked = Question(variant(name), EVENTS[event], STEAL, vcpus, FEWEST)
    found = explore_question(asked, [failure], symmetry=True)
    assert len(found.merging.cpus) > 1
    turns = [row.turn for row in found.trace(failure)]
    assert failure.holds(confirm(asked, turns[:-1]))
    assert not failure.holds(confirm(asked, turns))


# -- what is not symmetric ----------------------------------------------------------------------------------


ASYMMETRIC = [
    asymmetric.RefusesOne,
    asymmetric.WritesTwice,
    asymmetric.Numbers,
    asymmetric.Frames,
    asymmetric.Halves,
    asymmetric.NotServed,
]


@pytest.mark.parametrize("protocol", ASYMMETRIC)
@pytest.mark.parametrize("vcpus", [2, slow(3)])
def test_a_protocol_that_treats_one_vcpu_otherwise_is_not_merged(protocol, vcpus):
    every, merged, merging = both_ways(protocol, EVENTS["boot"], vcpus)
    assert merging.cpus == ()
    assert len(merging.reasons) == vcpus - 1
    assert merged.states == every.states


def test_neither_is_a_feature_that_does():
    _, _, merging = both_ways(PerFeature, EVENTS["boot"], 2, features=(asymmetric.SlowForOne(),))
    assert merging.cpus == ()


@pytest.mark.parametrize("event", [asymmetric.Placing(), asymmetric.Halved()], ids=repr)
def test_nor_an_event_that_does(event):
    _, _, merging = both_ways(PerFeature, event, 2)
    assert merging.cpus == ()
    assert len(merging.reasons) == 1


@pytest.mark.parametrize(
    "protocol", [asymmetric.ForgetsOne, pytest.param(asymmetric.FirstWins, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("vcpus", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_restore_may_treat_each_vcpu_as_it_likes(protocol, vcpus):
    every, merged, merging = both_ways(protocol, EVENTS["migrate"], vcpus)
    assert every.verdicts["F02"] == "FAILS"
    assert merging.cpus == tuple(range(vcpus))
    assert merged.states < every.states


@pytest.mark.slow
def test_two_restores_that_do_are_merged_only_where_a_finding_can_be_shown():
    """Lost twice, once of each vCPU: a finding would need two names, so these vCPUs are not merged."""
    for protocol, cpus in ((PerFeature, (0, 1)), (asymmetric.FirstWins, (0, 1)), (asymmetric.ForgetsOne, ())):
        _, _, merging = both_ways(protocol, asymmetric.Twice(), 2)
        assert merging.cpus == cpus
        assert bool(merging.reasons) == (cpus == ())
        assert all("stops all vCPUs more than once" in reason for reason in merging.reasons)


# -- what becomes of things ---------------------------------------------------------------------------------


def exchange(mapping, protocol="generic", abi=Abi.X86_64):
    scenario = Scenario(variant(protocol).protocol(STEAL), STEAL, vcpus=3, abi=abi)
    return Exchange(MachineModel(scenario, EVENTS["boot"]), mapping)


ROUND = {0: 1, 1: 2, 2: 0}
BACK = {1: 0, 2: 1, 0: 2}


@given(st.integers(0, 1 << 64))
def test_an_address_comes_back(number):
    assert exchange(BACK).address(exchange(ROUND).address(number)) == number


@given(st.integers(0, 2 * 4 * 4096 - 1))
def test_an_address_keeps_its_place_in_another_block(offset):
    to = exchange(ROUND)
    addresses = to.scenario.addresses
    gpa = addresses.memslot(0) + offset
    unit, moved = addresses.unit_at(gpa), addresses.unit_at(to.address(gpa))
    assert (unit is None) == (moved is None)
    if unit is not None:
        assert moved == unit._replace(cpu=ROUND.get(unit.cpu, unit.cpu))


@given(st.binary(min_size=1, max_size=40), st.integers(0, 3 * 4096), st.sampled_from(list(Abi)))
def test_memory_comes_back(data, offset, abi):
    to, back = exchange(ROUND, abi=abi), exchange(BACK, abi=abi)
    gpa = to.scenario.addresses.memslot(0) + offset
    there = to.content(gpa, data)
    assert len(there) == len(data)
    stays_whole = to.address(gpa + len(data) - 1) == to.address(gpa) + len(data) - 1
    assert back.content(to.address(gpa), there) == data or not stays_whole


def test_a_descriptor_is_renamed_by_its_fields():
    to = exchange({0: 1, 1: 0})
    descriptors = [to.scenario.cpu(cpu).descriptor for cpu in range(2)]
    struct = to.scenario.protocol.descriptor.on(Abi.X86_64)
    areas = [to.scenario.addresses.gpa(to.scenario.addresses.area(0, cpu, STEAL[0])) for cpu in range(2)]
    filled = [struct(base=gpa, size=64, type=5).pack() for gpa in areas]
    assert to.content(descriptors[0], filled[0]) == filled[1]
    assert to.content(descriptors[0] + 4, filled[0][4:]) == filled[0][4:]  # half an address is none


def test_memory_of_some_and_not_of_others_cannot_be_exchanged():
    to = exchange(ROUND)
    begin, block = to.scenario.addresses.memslot(0), to.scenario.addresses.block
    assert to.value(MEMSLOTS, ((begin, 4 * block, False),)) == ((begin, 4 * block, False),)
    with pytest.raises(SymmetryError, match="holds the memory of some vCPUs and not of others"):
        to.value(MEMSLOTS, ((begin, 2 * block, False),))
