"""Machines as models: discovery does not change counts, the engines agree, memory is cut into the right cells."""

import pytest

from workbench.checking.failures import FAILURES
from workbench.core.scenario import Scenario
from workbench.engines.explore import FAILS, HOLDS, Property
from workbench.engines.explore.vm import Bounds, MachineModel, asking, discover, explore_machine
from workbench.engines.explore.vm.cells import Finer, MemoryCell, MemoryCells
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.features.kvmclock import Kvmclock
from workbench.lifecycle import EVENTS
from workbench.protocols import PROTOCOLS

ONCE = Bounds()


def machine(protocol, event, features, vcpus=1, bounds=ONCE, codes=tuple(FAILURES)):
    def properties(model):
        chosen = [FAILURES[code] for code in codes]
        return [Property(f.code, f.name, f.kind, asking(model, f.holds)) for f in chosen]

    scenario = Scenario(PROTOCOLS[protocol](features), features, vcpus=vcpus)
    return MachineModel(scenario, EVENTS[event], properties, bounds)


def seen(result):
    traces = {finding.code: finding.trace and len(finding.trace) for finding in result.findings}
    return result.states, result.transitions, result.depth, result.verdicts, result.hits, traces, result.deadlocks


CASES = [
    ("generic", "boot", "steal_time"),
    ("generic", "kexec-no-teardown", "steal_time"),
    ("generic", "memslot-return", "wall_clock"),
    ("generic", "encrypted", "async_pf"),
    ("per_feature", "migrate", "wall_clock"),
    ("per_feature", "suspend-resume", "kvmclock"),
]


@pytest.mark.parametrize(("protocol", "event", "feature"), CASES)
def test_what_the_walks_learn_changes_no_count(protocol, event, feature, monkeypatch):
    features = choose([feature])
    expected = seen(explore_machine(machine(protocol, event, features)))
    for walks in (0, 7):
        monkeypatch.setattr(discover, "WALKS", walks)
        assert seen(explore_machine(machine(protocol, event, features))) == expected


@pytest.mark.parametrize(("protocol", "event", "feature"), CASES)
def test_the_engines_see_the_same_of_a_machine(protocol, event, feature):
    features = choose([feature])
    expected = seen(explore_machine(machine(protocol, event, features), tables="python"))
    assert seen(explore_machine(machine(protocol, event, features), tables="numpy")) == expected


def test_more_updates_only_add_states():
    features = choose(["steal_time"])
    counts = [
        explore_machine(machine("per_feature", "boot", features, bounds=Bounds(updates=n))).states for n in range(4)
    ]
    assert counts == sorted(set(counts))


class Unversioned(Kvmclock):
    """A clock whose reader does not check the version."""

    name = "kvmclock"

    def read(self, gpa):
        from workbench.core.steps import Load

        return (yield Load(gpa, self.payload))


@pytest.mark.parametrize(("feature", "verdict"), [(Kvmclock(), HOLDS), (Unversioned(), FAILS)])
def test_a_reader_without_a_version_accepts_a_torn_payload(feature, verdict):
    model = machine("per_feature", "boot", (feature,), 2, Bounds(reads=1), codes=("F06",))
    assert explore_machine(model).verdicts == {"F06": verdict}


# -- memory ------------------------------------------------------------------------------------------------


def test_memory_is_cut_as_coarsely_as_the_accesses_allow():
    cells = MemoryCells()
    with cells.learning():
        assert cells.of(0x1000, 8) == (MemoryCell(0x1000, 8),)
        assert cells.of(0x1004, 8) == (MemoryCell(0x1004, 4), MemoryCell(0x1008, 4))
    assert cells.of(0x1000, 8) == (MemoryCell(0x1000, 4), MemoryCell(0x1004, 4))
    assert cells.within(0x1000, 0x100) == (MemoryCell(0x1000, 4), MemoryCell(0x1004, 4), MemoryCell(0x1008, 4))
    assert cells.within(0x1004, 8) == (MemoryCell(0x1004, 4), MemoryCell(0x1008, 4))


def test_an_access_that_cuts_an_atom_begins_the_search_again():
    cells = MemoryCells()
    for gpa, size in ((0x1000, 8), (0x1002, 2), (0x2000, 1)):
        with pytest.raises(Finer):
            cells.of(gpa, size)
        assert sum(cell.size for cell in cells.of(gpa, size)) == size
    with pytest.raises(Finer):
        cells.know("an entry")
    cells.know("an entry")


def test_a_walk_forgets_what_an_access_did_before_memory_was_cut_finer():
    """Two payloads at one address, of which one is read by four bytes and one by one."""
    result = explore_machine(machine("hyperv", "overlap", choose(["simp", "vp_assist"])))
    assert result.verdicts["F17"] == FAILS
    assert result.verdicts["S02"] == HOLDS


# -- mistakes ----------------------------------------------------------------------------------------------


class Endless:
    """A guest program that never ends is named in the error."""

    name, min_vcpus = "endless", 1

    def adapt(self, scenario):
        return scenario

    def setup(self, scenario):
        return
        yield

    def happen(self, scenario):
        from workbench.core.event_steps import Enter

        count = 0
        while True:
            yield Enter(0)
            count += 1


@pytest.mark.slow
def test_an_event_that_never_ends_is_named():
    features = choose(["steal_time"])
    model = MachineModel(Scenario(PROTOCOLS["null"](features), features), Endless())
    with pytest.raises(WorkbenchError, match="program event never ends"):
        explore_machine(model)
