"""The comparison as text: of the machine that was asked for, with the events that can happen to it."""

import pytest

from workbench.measure import compare
from workbench.present.web.comparison import comparison

DESIGNS, EVENTS = ["generic", "per_feature"], ["boot", "overlap-vcpus"]


@pytest.mark.parametrize(("vcpus", "heading", "happen"), [
    (1, "1 vCPU (simulated)", EVENTS[:1]), (3, "3 vCPUs (simulated)", EVENTS),
])  # fmt: skip
def test_the_text_is_of_the_machine_that_was_asked_for(vcpus, heading, happen):
    lines = comparison(DESIGNS, EVENTS, vcpus=vcpus).text.splitlines()
    assert lines[0] == heading
    found = [line.split()[:3] for line in lines if line.split()[:1] and line.split()[0] in EVENTS]
    runs = compare(DESIGNS, happen, vcpus=vcpus, metrics=["exits"])
    told = {(run.event, run.protocol): run.value for run in runs.itertuples()}
    assert {(event, protocol): int(exits) for event, protocol, exits in found} == told
