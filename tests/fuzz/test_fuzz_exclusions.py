"""What is left out of the comparison is listed with its reason, is tried on both hosts, and is told in the manual."""

from pathlib import Path

import pytest

from workbench.features import FEATURES
from workbench.fuzz.exclusions import applying, everything, fields_of, load
from workbench.fuzz.payload import Payloads
from workbench.fuzz.runners import opener
from workbench.protocols import PerFeature
from workbench.replay.engines import find_engine

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "fuzzing.md"
CLOCK, AREA = 0x4B564D01, 0x1000
FREE = {
    (feature.name, name)
    for feature in FEATURES.values()
    if feature.compared is not None
    for name in feature.compared.free
    if name != feature.compared.version
}


def simulated():
    features = tuple(feature for feature in FEATURES.values() if not feature.brings_register)
    return opener(find_engine("sim"), lambda: PerFeature(features))


def test_the_manual_has_each_exclusion():
    rows = [line for line in MANUAL.read_text().splitlines() if line.startswith("| `")]
    for one in load():
        assert f"| `{one.name}` | {one.what} | {one.reason} |" in rows


def test_what_a_feature_calls_free_is_listed_and_the_rest_is_tried():
    assert everything() >= FREE
    for one in load():
        named = fields_of([one])
        assert all(FEATURES[feature].payload for feature, _ in named)
        assert one.tried or "not tried" in one.reason


def test_two_equal_hosts_differ_in_nothing_that_can_be_tried():
    assert [one.name for one in applying(load(), simulated(), simulated())] == ["preempted"]


def test_a_host_without_the_stable_flag_is_noticed():
    def unstable():
        opened = simulated()

        def open_machine(spec):
            machine = opened(spec)
            inner = machine.machine.now
            machine.machine.now = lambda: inner()._replace(stable=False)
            return machine

        return open_machine

    found = {one.name for one in applying(load(), simulated(), unstable())}
    assert {"stable-flag", "stop-kept"} <= found


@pytest.mark.parametrize(("left_out", "differs"), [(frozenset(), True), (frozenset({("kvmclock", "flags")}), False)])
def test_flags_are_compared_unless_they_are_left_out(left_out, differs):
    payloads = Payloads((), left_out | {("kvmclock", name) for feature, name in FREE if feature == "kvmclock"})
    payloads.appeared(AREA, 0x1000, frozenset())
    payloads.registered(0, CLOCK, AREA | 1, by_host=False)
    payloads.entered(0)
    ours, kvms = bytearray(32), bytearray(32)
    ours[0] = kvms[0] = 2
    ours[29], kvms[29] = 1, 0
    found = payloads.judge(AREA, bytes(ours), bytes(kvms), frozenset({("kvmclock", AREA)}))
    assert (found is not None) is differs
