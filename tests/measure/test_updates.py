"""How often payloads are updated: counted in the run, and labelled by what the number says about a real host."""

import json
from dataclasses import replace
from typing import get_args

import pytest

from tests.additions.host_uptime import HostUptime, SliceHint
from tests.additions.pv_sched import PvSched
from workbench.clayout.layout import Abi
from workbench.cli import main
from workbench.core.contracts import Bound, Counted
from workbench.core.contracts.complete import check_feature
from workbench.core.scenario import Scenario, beliefs
from workbench.core.updates import made
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.features import SHIPPED, choose
from workbench.features.steal_time import StealTime
from workbench.history.broken.clock_of_vm import UpdatedTsc
from workbench.history.broken.restless_clock import RestlessClock
from workbench.lifecycle import EVENTS
from workbench.measure import METRICS, compare, cost, payload_updates, variant, variants
from workbench.measure.comparison.runs import measured
from workbench.measure.comparison.updates import update_rows
from workbench.measure.exploration.matrix import Size
from workbench.present.text import tables, updates
from workbench.present.text.matrix import matrix_text
from workbench.present.text.table import as_text

#: Features whose version counts their updates: two for each.
VERSIONED = ("kvmclock", "wall_clock", "steal_time")
#: KVM's features whose payloads a host updates.
KVMS = ("kvmclock", "wall_clock", "async_pf", "pv_eoi", "steal_time")
BY_UPDATES = sorted(name for name, metric in METRICS.items() if metric.by_updates)


def run(design, event, features, vcpus=3, **options):
    chosen = choose(features)
    return simulate(Scenario(variant(design).protocol(chosen), chosen, vcpus=vcpus), EVENTS[event], **options)


def versions(done):
    """Return the number of updates of each payload, by the versions in guest memory, which nobody has zeroed since."""
    machine, found = done.machine, {}
    for (_, name), gpa in beliefs(machine.notes).items():
        layout = SHIPPED[name].payload.on(Abi.X86_64)
        version = layout.unpack(machine.memory.load(gpa, layout.size))["version"]
        found[name] = found.get(name, 0) + version // 2
    return {name: number for name, number in found.items() if number}


@pytest.mark.parametrize("event", ["boot", "migrate", "vmm-pause", "migrate-told", "read-back", "host-live-update"])
@pytest.mark.parametrize("design", ["generic+carry-registry", "per_feature", "msr_array", "indexed"])
def test_what_is_counted_is_what_the_versions_in_memory_say(design, event):
    done = run(design, event, VERSIONED)
    counted = {name: number for name, number in made(done.counts + done.boot_counts).items() if number}
    assert counted == versions(done)
    assert counted


@pytest.mark.parametrize("design", ["generic", "per_feature", "papr_vpa", "hyperv", "xen_vcpu", "grow_area"])
@pytest.mark.parametrize("event", ["boot", "kexec-no-teardown"])
def test_batches_of_vcpus_count_as_vcpus_one_by_one(design, event):
    own = variant(design).kind.own_features or None
    together, alone = (run(design, event, own, 20, lanes=lanes) for lanes in (True, False))
    assert together.counts == alone.counts
    assert sum(made(together.counts).values()) > 0


def test_the_token_of_the_wake_all_is_an_update_that_only_kvm_makes():
    rows = {
        one: {row.feature: row.updates for row in update_rows(variant(one), choose(), 5, EVENTS["boot"])}
        for one in ("generic", "per_feature")
    }
    assert rows["generic"] == {"kvmclock": 5, "wall_clock": 1, "async_pf": 0, "pv_eoi": 0, "steal_time": 5}
    assert rows["per_feature"] == {"kvmclock": 5, "wall_clock": 1, "async_pf": 5, "pv_eoi": 0, "steal_time": 5}


def test_an_update_that_does_not_arrive_is_not_counted():
    chosen = choose(["steal_time"])
    gone = measured(variant("per_feature"), chosen, 2, EVENTS["memslot-unplug"])
    assert gone.counts["vm_entries"] > 0
    assert made(gone.counts).get("steal_time", 0) == 0


def test_an_update_is_its_features_whose_writer_another_feature_lends():
    rows = payload_updates(variants(["xen_vcpu"]), None, 2, EVENTS["boot"])
    assert dict(zip(rows["feature"], rows["updates"], strict=True)) == {"vcpu_info": 0, "runstate": 4, "vcpu_time": 4}


# -- the labels ----------------------------------------------------------------------------------------


class Twice(StealTime):
    """Steal time that is updated twice each time."""

    def update(self, cpu, gpa, now):
        yield from super().update(cpu, gpa, now)
        yield from StealTime().update(cpu, gpa, now)


class Never(StealTime):
    """Steal time that is not updated."""

    def update(self, cpu, gpa, now):
        return
        yield


@pytest.mark.parametrize("event", ["boot", "kexec-no-teardown", "migrate", "memslot-return"])
@pytest.mark.parametrize("design", ["generic", "per_feature"])
def test_a_metric_that_depends_on_updates_says_so_and_no_other_changes(design, event):
    """Metrics that are not labelled are the same, however often a host updates."""
    runs = [measured(variant(design), (one,), 3, EVENTS[event]) for one in (StealTime(), Twice(), Never())]
    values = {name: {metric.read(one) for one in runs} for name, metric in METRICS.items()}
    assert {name for name, found in values.items() if len(found) > 1} <= set(BY_UPDATES)
    assert len(values["payload_updates"] | {0}) > 1 or event == "migrate"


def test_what_a_dirty_log_misses_depends_on_updates_too():
    forgets = variant("tests/planted/unlogged.py:Forgets")
    runs = [measured(forgets, (one,), 3, EVENTS["migrate-dirty-log"]) for one in (StealTime(), Never())]
    changed = {name for name, metric in METRICS.items() if len({metric.read(one) for one in runs}) > 1}
    assert {"missed_dirty_pages", "missed_dirty_bytes"} <= changed <= set(BY_UPDATES)


@pytest.mark.parametrize("name", BY_UPDATES)
def test_a_table_with_a_number_that_depends_on_updates_says_what_it_is(name):
    missed = name.startswith("missed")  # only of a design that forgets the log: lines of zeros are left out
    designs, event, features = ["per_feature", "generic"], "kexec-no-teardown", None
    if missed:
        designs, event, features = ["tests/planted/unlogged.py:Forgets"], "migrate-dirty-log", ["steal_time"]
    table = compare(designs, [event], vcpus=3, features=features, metrics=[name, "exits"])
    text = " ".join(as_text(tables.summary(table, event)).split())
    assert f"{name}: counted in this run" in text
    for feature in features or KVMS:
        kind = SHIPPED[feature].count_is
        assert feature in text.partition(f"{kind} for ")[2].partition(";")[0], (feature, kind)


@pytest.mark.parametrize(("access", "said"), [(None, False), (0, False), (7, True)])
def test_a_cost_depends_on_updates_where_an_access_has_a_price(access, said):
    model = replace(cost.load("kvm-unit-tests-2012"), memory_access_cycles=access)
    table = compare(["per_feature"], ["boot"], vcpus=3, metrics=["exits"], cost_model=model)
    notes = tables.summary(table, "boot", model).notes
    assert any(one.startswith("cost_cycles: counted in this run") for one in notes) is said
    assert sum(one.startswith("Cost model") for one in notes) == 1


def test_a_table_without_such_a_number_has_no_such_note():
    table = compare(["per_feature"], ["boot"], vcpus=3, metrics=["exits", "state_bytes", "vm_entries"])
    assert tables.summary(table, "boot").notes == []


def test_the_command_prints_count_label_and_reason_in_one_table(capsys):
    assert main(["compare", "--vcpus", "3", "--events", "boot", "--metrics", "payload_updates"]) == 0
    text = capsys.readouterr().out
    table = text.partition("Payload updates in boot\n")[2]
    rows = {line.split()[0]: line for line in table.splitlines() if line}
    assert rows["steal_time"].split()[-4:] == ["upper", "bound", "3", "3"]
    assert rows["kvmclock"].split()[-4:] == ["lower", "bound", "3", "3"]
    said = " ".join(table.split())
    for feature in choose(["kvmclock", "wall_clock", "steal_time"]):
        assert f"{feature.name}: {feature.count_is}. {feature.counted.why}. ({feature.counted.source})" in said
    assert "kvm_arch_vcpu_load" in said
    assert "pv_eoi:" not in said, "of what was not updated, no number needs a reason"


@pytest.mark.parametrize("feature", [one for one in SHIPPED.values() if one.update_when != "never"], ids=str)
def test_each_shipped_feature_says_what_a_count_of_its_updates_is(feature):
    assert feature.count_is in get_args(Bound)
    if feature.update_when == "entry":
        assert feature.count_is != "exact", "no host known here updates at exactly each entry"


def test_what_is_said_of_one_occasion_is_not_said_of_another():
    assert [one().count_is for one in (RestlessClock, UpdatedTsc)] == ["not said", "not said"]
    assert Twice().count_is == "upper bound"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "for each vCPU, at most 1 payload update besides the event's own"),
        (("--updates", "2"), "for each vCPU, at most 2 payload updates besides the event's own"),
        (("--updates", "0"), "for each vCPU, no payload update besides the event's own"),
    ],
)
def test_a_verdict_says_how_often_the_host_may_update(capsys, options, said):
    question = ["explore", "null", "--events", "boot", "--features", "steal_time", "--vcpus", "1", *options]
    assert main(question) == 0
    assert f"  {said}\n" in capsys.readouterr().out
    assert main([*question, "--format", "json"]) == 0
    (summary,) = json.loads(capsys.readouterr().out)["explorations"]
    assert (summary["updates"], summary["reads"]) == (int(options[1]) if options else 1, 0)


def test_a_failure_map_says_it_once_for_all_sizes():
    text = " ".join(matrix_text([], [Size(1, ("steal_time",))]).split())
    assert text.endswith("steal_time In all of them: for each vCPU, at most 1 payload update besides the event's own.")


# -- a feature of an author's own ----------------------------------------------------------------------


class Said(PvSched):
    """A feature whose author knows a host."""

    name = "pv_sched_said"
    counted = Counted("upper bound", "the host writes at each second entry", "made up, for a test")


def test_an_authors_feature_can_say_it_and_one_that_does_not_is_told_so():
    assert [one().count_is for one in (Said, PvSched, HostUptime, SliceHint)] == ["upper bound", *["not said"] * 3]
    for one, kind in ((Said(), "upper bound"), (PvSched(), "not said")):
        text = " ".join(as_text(updates.table([(variant("generic"), (one,))], 2, EVENTS["boot"])).split())
        assert f"at each entry {kind} 2" in text
        assert ("The host writes at each second entry. (made up, for a test)" in text) is (kind == "upper bound")
        note = updates.note(["host_stores", "exits"], [one])
        assert note is not None
        assert note.endswith(f"host's, the number of updates is: {kind} for {one.name}.")


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        ("at most", "counted is 'at most', which is no value for a Counted, or None"),
        (Counted("at most", "a", "b"), "counted says 'at most'; allowed: exact, upper bound, lower bound, no bound"),
        (Counted("exact", "", "b"), "why of counted is ''; allowed: one line of text"),
        (Counted("exact", "a", "b\nc"), "source of counted is 'b\\nc'; allowed: one line of text"),
    ],
)
def test_a_wrong_statement_is_told(counted, message):
    wrong = type("Wrong", (PvSched,), {"counted": counted, "__doc__": "Wrong.", "__module__": __name__})
    with pytest.raises(WorkbenchError) as told:
        check_feature(wrong())
    assert str(told.value) == message
