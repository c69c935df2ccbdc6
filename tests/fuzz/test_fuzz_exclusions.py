"""What is left out of the comparison is listed with its reason, is tried on both hosts, and is told in the manual."""

import json
import re
from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.features import FEATURES
from workbench.fuzz.exclusions import EXCLUSIONS, LeftOut, applying, everything, load
from workbench.fuzz.generate import sequence
from workbench.fuzz.judging import judge
from workbench.fuzz.known import load as load_known
from workbench.fuzz.payload import Payloads
from workbench.fuzz.runners import opener
from workbench.protocols import PerFeature
from workbench.replay.engines import find_engine
from workbench.replay.operations import OPERATIONS

REPO = Path(__file__).resolve().parents[2]
CLOCK, AREA = 0x4B564D01, 0x1000
FREE = {
    (feature.name, name)
    for feature in FEATURES.values()
    if feature.compared is not None and not feature.brings_register
    for name in feature.compared.free
    if name != feature.compared.version
}


def simulated():
    features = tuple(feature for feature in FEATURES.values() if not feature.brings_register)
    return opener(find_engine("sim"), lambda: PerFeature(features))


def without(*names):
    """Return the exclusions of which these do not apply."""
    return LeftOut(load(), {one.name for one in load()} - set(names))


def test_the_manual_has_each_exclusion_and_no_other():
    section = (REPO / "docs/fuzzing.md").read_text().partition("\n## What is not compared")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{one.name}` | {one.what} | {one.reason} | {one.not_tried or 'tried'} |" for one in load()]


def test_each_has_a_source_and_a_name_of_its_own():
    names = [one.name for one in load()] + [one.name for one in load_known()]
    assert len(set(names)) == len(names)
    assert all(one.what and one.reason and one.source for one in load())


def test_what_a_feature_calls_free_is_listed():
    assert set(everything().fields) >= FREE
    assert all(FEATURES[feature].payload for feature, _ in everything().fields)


def test_the_code_asks_by_name_for_what_leaves_out_no_field_and_for_nothing_else():
    code = "\n".join(path.read_text() for path in (REPO / "workbench/fuzz").glob("*.py"))
    by_code = {one.name for one in load() if not one.fields and not one.operations}
    assert {name for name in by_code if f'"{name}"' not in code} == set()
    asked = re.findall(r"applies\((\w+)\)|_doubt\(\w+, (\w+)\)", code)
    constants = {name for pair in asked for name in pair if name.isupper()}
    assert len(constants) >= 6
    for constant in constants:
        values = re.search(rf"^(?:\w+, )*{constant}\b.* = (.+)$", code, re.MULTILINE).group(1)
        assert set(re.findall(r'"([a-z-]+)"', values)) <= by_code


def test_what_the_file_does_not_list_cannot_be_left_out(tmp_path):
    records = [one for one in json.loads(EXCLUSIONS.read_text()) if one["name"] != "overlap"]
    path = tmp_path / "fewer.json"
    path.write_text(json.dumps(records))
    fewer = LeftOut(load(path))
    assert fewer.applies("more-updates")
    with pytest.raises(WorkbenchError, match="'overlap' is not allowed; allowed: clock-now, "):
        fewer.applies("overlap")
    with pytest.raises(WorkbenchError, match="'overlap' is not allowed"):
        differ_in_overlap(fewer)


@pytest.mark.parametrize("change", [{"tried": []}, {"not_tried": "no reason"}])
def test_an_entry_is_tried_or_says_why_not(tmp_path, change):
    (record,) = [one for one in json.loads(EXCLUSIONS.read_text()) if one["name"] == "overlap"]
    path = tmp_path / "malformed.json"
    path.write_text(json.dumps([record | change]))
    with pytest.raises(WorkbenchError, match="overlap must have operations that try it, or the reason"):
        load(path)


def test_an_operation_is_in_the_sequences_or_excluded():
    drawn = {step.op for number in range(300) for step in sequence(1, number, 200).operations}
    excluded = {op for one in load() for op in one.operations}
    assert drawn | excluded == set(OPERATIONS)
    assert not drawn & excluded


def test_two_equal_hosts_differ_in_nothing_that_can_be_tried():
    found = applying(load(), simulated(), simulated())
    assert [one.name for one in found if not one.not_tried] == []


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


@pytest.mark.parametrize(("compared", "differs"), [(("stable-flag", "stop-kept"), True), ((), False)])
def test_flags_are_compared_unless_they_are_left_out(compared, differs):
    payloads = Payloads((), without(*compared))
    payloads.appeared(AREA, 0x1000, frozenset())
    payloads.registered(0, CLOCK, AREA | 1, by_host=False)
    payloads.entered(0)
    ours, kvms = bytearray(32), bytearray(32)
    ours[0] = kvms[0] = 2
    ours[29], kvms[29] = 1, 0
    found = judge(payloads, AREA, bytes(ours), bytes(kvms), frozenset({("kvmclock", AREA)}))
    assert (found is not None) is differs
    assert sum(payloads.explained.values()) == (not differs)


def differ_in_overlap(left_out):
    """Two clocks, one 8 bytes after the other; tell whether a byte that both write may differ."""
    payloads = Payloads((), left_out)
    payloads.appeared(AREA, 0x1000, frozenset())
    for cpu, gpa in ((0, AREA), (1, AREA + 8)):
        payloads.registered(cpu, CLOCK, gpa | 1, by_host=False)
        payloads.entered(cpu)
    served = frozenset({("kvmclock", AREA), ("kvmclock", AREA + 8)})
    return judge(payloads, AREA, bytes(12) + b"\x01" + bytes(27), bytes(40), served) is not None


def test_overlap_is_left_out_only_if_it_applies():
    fields = ("clock-readings", "stable-flag", "stop-kept")
    assert not differ_in_overlap(without(*fields))
    assert differ_in_overlap(without("overlap", *fields))
