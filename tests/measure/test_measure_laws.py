"""Laws that every measurement obeys for any protocol, event, features and number of vCPUs."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from workbench.core.outcome import Fate
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.measure import METRICS, compare, measured, over_features, over_vcpus, variant, variants
from workbench.measure.comparison.growth import line
from workbench.protocols import PROTOCOLS

EVERYTHING = tuple(FEATURES.values())
chosen_features = st.sets(st.sampled_from(sorted(FEATURES)), min_size=1).map(
    lambda names: choose(list(names))
)


def values_of(name, event, features=EVERYTHING, vcpus=4, seed=0):
    run = measured(variant(name), features, vcpus, EVENTS[event], seed)
    return {metric.name: metric.read(run) for metric in METRICS.values()}


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(PROTOCOLS)), st.sampled_from(sorted(EVENTS)), chosen_features, st.integers(1, 6)
)
def test_sums_and_parts(name, event, features, vcpus):
    assume(vcpus >= EVENTS[event].min_vcpus)
    found = values_of(name, event, features, vcpus)
    assert all(value >= 0 for metric, value in found.items() if metric != "fate")
    assert found["kernel_exits"] + found["user_exits"] == found["exits"]
    by_cause = ("wrmsr_exits", "rdmsr_exits", "hypercall_exits", "mmio_exits", "pio_exits")
    assert sum(found[cause] for cause in by_cause) == found["exits"]
    owners = sum(1 if feature.scope == "vm" else vcpus for feature in features)
    assert sum(found[f"areas_{fate.value}"] for fate in Fate) == owners
    assert found["areas"] == found["areas_registered"]
    assert found[f"areas_{found['fate']}"] > 0
    parts = ("descriptor_bytes", "payload_bytes", "padding_bytes")
    assert sum(found[part] for part in parts) == found["guest_memory_bytes"]
    for part in ("state_carried_bytes", "state_unarchitected_bytes"):
        assert found[part] <= found["state_bytes"]
    assert (found["state_entries"] == 0) == (found["state_bytes"] == 0)
    assert bool(found["state_interfaces"] + found["state_new_interfaces"]) == bool(found["state_entries"])


@given(chosen_features, st.integers(1, 12))
def test_generic_writes_one_msr_for_each_area_at_boot(features, vcpus):
    found = values_of("generic", "boot", features, vcpus)
    assert found["wrmsr_exits"] == found["areas"] == found["exits"]
    at_boot = [feature for feature in features if feature.linux_boot is not None]
    assert found["user_exits"] == sum(feature.served_by == "user" for feature in at_boot)


@given(st.sampled_from(sorted(PROTOCOLS)), st.sampled_from(sorted(EVENTS)), st.integers(0, 10**6))
def test_the_seed_changes_no_measurement(name, event, seed):
    assert values_of(name, event, seed=seed) == values_of(name, event)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_boot_grows_by_the_same_for_each_vcpu(name):
    points = (1, 2, 3, 7, 20, 64)
    metrics = [metric for metric, entry in METRICS.items() if entry.unit not in ("word", "interfaces")]
    table = over_vcpus(variants([name]), EVERYTHING, EVENTS["boot"], points, metrics)
    assert sorted(table["vcpus"].unique()) == list(points)
    assert all(line(table, name, metric) is not None for metric in metrics)


def test_a_curve_that_is_bent_is_no_line():
    table = over_vcpus(variants(["generic"]), EVERYTHING, EVENTS["boot"], (1, 2, 4), ("exits",))
    assert line(table, "generic", "exits") == (2, 4)
    table.loc[table["vcpus"] == 2, "value"] = 11
    assert line(table, "generic", "exits") is None


def test_more_features_never_cost_fewer_exits():
    table = over_features(variants(["generic", "per_feature"]), EVERYTHING, 3, EVENTS["boot"], ("exits",))
    for _, rows in table.groupby("protocol"):
        assert list(rows["feature_count"]) == list(range(1, len(EVERYTHING) + 1))
        assert list(rows["value"]) == sorted(rows["value"])
        assert rows["features"].iloc[-1] == "all"


def test_the_table_is_tidy():
    table = compare(["generic", "per_feature"], vcpus=3)
    key = ["protocol", "event", "metric"]
    assert list(table.columns) == [*key, "value", "unit", "engine", "vcpus", "features"]
    assert not table.duplicated(key).any()
    assert len(table) == 2 * len(EVENTS) * len(METRICS)
    assert table["unit"].groupby(table["metric"]).nunique().max() == 1
