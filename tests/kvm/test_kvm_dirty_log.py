"""A guest moves between two real VMs in rounds, by KVM_GET_DIRTY_LOG: what arrives is what the simulator says."""

import pytest

from tests.planted import unlogged
from workbench.core.scenario import Scenario
from workbench.engines.kvm.engine import run_on_kvm
from workbench.engines.simulate import simulate
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.measure.on_kvm.kvm_agreement import beside
from workbench.measure.on_kvm.runs import Measurement, measurements, rows_of
from workbench.measure.variants import Variant, variant
from workbench.present.text.on_kvm import words
from workbench.present.text.table import as_text

STEAL, WATCHDOG = (FEATURES["steal_time"],), (FEATURES["watchdog"],)

pytestmark = pytest.mark.kvm


def moved(kind, event, features, vcpus=2):
    design = variant(kind) if isinstance(kind, str) else Variant.of(kind, ())

    def scenario():
        return Scenario(design.protocol(features), features, vcpus=vcpus)

    return run_on_kvm(scenario(), EVENTS[event]), simulate(scenario(), EVENTS[event])


@pytest.mark.parametrize("event", ["migrate-dirty-log", "migrate-kvm-log", "migrate-log-first"])
def test_what_kvm_itself_writes_is_in_its_log(event):
    real, simulated = moved("per_feature", event, tuple(choose()))
    assert (real.lost_bytes, real.lost_in) == (simulated.lost_bytes, simulated.lost_in) == (0, ())
    everything, *rounds = real.rounds
    assert len(rounds) == 2, "a round while the vCPUs run, and the last"
    assert 0 < max(rounds) < everything


@pytest.mark.parametrize(
    ("kind", "event", "features", "lost"),
    [
        (unlogged.Forgets, "migrate-dirty-log", STEAL, ("steal_time",)),
        (unlogged.MarksAfter, "migrate-dirty-log", STEAL, ()),
        (unlogged.PreemptedAtSave, "migrate-log-first", STEAL, ("steal_time",)),
        (unlogged.PreemptedAtSave, "migrate-dirty-log", STEAL, ()),
        ("generic+pending-result", "migrate-dirty-log", WATCHDOG, ()),
    ],
)
def test_what_a_host_of_ours_writes_is_lost_as_the_simulator_says(kind, event, features, lost):
    real, simulated = moved(kind, event, features)
    assert real.lost_in == simulated.lost_in == lost
    assert bool(real.lost_bytes) is bool(simulated.lost_bytes) is bool(lost)


@pytest.mark.parametrize(("kind", "lost"), [("per_feature", ()), (unlogged.Forgets, ("steal_time",))])
def test_an_ordinary_migration_goes_by_the_logs_here_too(kind, lost):
    """The simulator carries all memory at the stop; a real VM is copied by its logs, and shows who forgets them."""
    real, simulated = moved(kind, "migrate", STEAL)
    assert (real.lost_in, simulated.lost_in) == (lost, ())


def test_the_measured_table_says_what_was_missed():
    """One row each, of engine "kvm"; the text names the run, and calls it measured."""
    designs = [Variant.of(unlogged.Forgets, ()), Variant.of(unlogged.MarksAfter, ())]
    found = measurements(designs, ["boot", "migrate-dirty-log"], STEAL, 2)
    rows = {
        (row.protocol, row.event, row.metric): (row.value, row.unit, row.engine)
        for one in found
        for row in rows_of(one, "here")
        if row.metric.startswith("missed")
    }
    assert rows["forgets", "migrate-dirty-log", "missed_dirty_pages"] == (2, "pages", "kvm")
    assert rows["forgets", "migrate-dirty-log", "missed_dirty_bytes"][0] >= 2
    assert rows["marks_after", "migrate-dirty-log", "missed_dirty_bytes"] == (0, "bytes", "kvm")
    assert not any(event == "boot" for _, event, _ in rows), "nothing was sent"
    assert [Measurement.from_record(one.as_record()) for one in found] == list(found)
    told = " ".join(as_text(words(beside(found, "6.18", designs, features=STEAL), "here")).split()).replace("- ", "-")
    assert "Measured: memory was sent to another VM by KVM's dirty log in 2 runs; what this VM then has not got" in told
    assert "was last written: forgets, migrate-dirty-log: " in told
    assert "marks_after, migrate" not in told
