"""Every event under every protocol: it runs, its counts add up, and its fates are those of the golden table."""

import pytest

from workbench.core.host_state import VM
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle import choose as choose_events
from workbench.protocols import FIRST, PROTOCOLS

from .fates import GOLDEN, as_csv, rows

ALL = choose()
CASES = [(protocol, event, vcpus) for protocol in FIRST for event in EVENTS for vcpus in (1, 2, 5)]


def scenario_of(protocol, vcpus, features=ALL, mitigations=()):
    return Scenario(PROTOCOLS[protocol](features, mitigations), features, vcpus=vcpus)


@pytest.mark.parametrize(("protocol", "event", "vcpus"), CASES)
def test_every_event_runs_and_conserves_exits(protocol, event, vcpus):
    scenario = scenario_of(protocol, vcpus)
    if not EVENTS[event].applies(scenario):
        assert vcpus < EVENTS[event].min_vcpus
        return
    run = simulate(scenario, EVENTS[event])
    assert {owner for owner, _ in run.fates} == {VM, *range(vcpus)}
    for counts in (run.counts, run.boot_counts):
        assert min(counts.values(), default=0) >= 0
        assert counts["kernel_exits"] + counts["user_exits"] == counts["exits"]
        by_cause = sum(n for cause, n in counts.items() if cause.endswith("_exits"))
        assert by_cause == 2 * counts["exits"], "every exit has one cause and one class"
    if run.scenario.protocol.name == "null":
        assert run.counts["wrmsr_exits"] == 0
        assert set(run.fates.values()) <= {Fate.REFUSED, Fate.RELEASED}


@pytest.mark.parametrize("protocol", FIRST)
@pytest.mark.parametrize("name", FEATURES)
def test_every_event_runs_with_a_single_feature(protocol, name):
    """An event must not assume that the scenario has a particular feature."""
    scenario = scenario_of(protocol, 2, choose([name]))
    for event in EVENTS.values():
        assert simulate(scenario, event).fates


@pytest.mark.parametrize("protocol", FIRST)
def test_every_event_runs_for_an_encrypted_guest(protocol):
    features = choose()
    scenario = Scenario(PROTOCOLS[protocol](features), features, vcpus=3, encrypted=True)
    for event in EVENTS.values():
        assert simulate(scenario, event).fates


@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_encryption_changes_no_fate_of_a_guest_that_shares(protocol):
    """An encrypted guest that shares its areas gets the same fates; one that does not share is an event of its own.

    Memory that is taken away and added again is private, and the kernel whose areas are in it does not know that.
    """
    different = set()
    for event in EVENTS.values():
        plain = scenario_of(protocol, 3)
        encrypted = Scenario(plain.protocol, plain.features, vcpus=3, encrypted=True)
        if simulate(plain, event).fates != simulate(encrypted, event).fates:
            different.add(event.name)
    assert different == {"memslot-return", "second-page-returns"}


def test_same_seed_same_bytes():
    for event in EVENTS.values():
        first, second = (simulate(scenario_of("generic", 3), event, trace=True) for _ in range(2))
        assert first.trace == second.trace
        assert first.fates == second.fates


def test_the_golden_table_in_full():
    """After an intended change, run python -m tests.lifecycle.fates and read the difference."""
    assert as_csv(rows()) == GOLDEN.read_text()


def test_events_are_found_by_name_and_described():
    assert [event.name for event in choose_events(["crash", "boot"])] == ["boot", "crash"]
    with pytest.raises(WorkbenchError, match=r"unknown event 'boom'; did you mean boot\? known: boot, "):
        choose_events(["boom"])
    titles = [event.title for event in EVENTS.values()]
    assert len(set(titles)) == len(titles)
    assert all(name == event.name and name == name.lower() and "_" not in name for name, event in EVENTS.items())
