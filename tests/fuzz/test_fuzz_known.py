"""Known divergences: well formed, in force only where they are shown, and then counted."""

import json
from dataclasses import replace

import pytest

from workbench.core.outcome import FAULT
from workbench.engines.simulate.replay_target import SimulatedTarget
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.fuzz import known
from workbench.fuzz.exclusions import LeftOut
from workbench.fuzz.exclusions import load as exclusions
from workbench.fuzz.generate import sequence
from workbench.protocols import PerFeature
from workbench.replay.reading import parse

from .pretended import bench

SSP = 0x4B564DFF


def opened(mitigations=()):
    return lambda spec: SimulatedTarget(spec, PerFeature(choose(), mitigations))


def test_every_entry_says_what_why_and_by_whom():
    entries = known.load()
    assert len({entry.name for entry in entries}) == len(entries) >= 3
    for entry in entries:
        assert entry.kernels
        assert entry.what
        assert entry.reason
        assert entry.source
        explains = entry.msr is not None and entry.ops
        assert sum(map(bool, [explains, entry.mitigation, entry.avoid, entry.allows])) == 1
        assert entry.mitigation in {"", *PerFeature.mitigations_known}


def test_the_model_itself_shows_none_of_them():
    """The simulator models a kernel without any of these; one that it shows would look like an error."""
    assert known.shown(known.load(), opened()).entries == ()


def test_a_kernel_that_shows_one_has_it():
    found = known.shown(known.load(), opened(["commit-after-check"]))
    assert [entry.name for entry in found.entries] == ["async-pf-commit-after-check"]
    assert found.mitigations == ("commit-after-check",)


class RefusesTheLast(PerFeature):
    """Claims 0x4b564dff, and refuses it."""

    native = PerFeature.native
    msrs = PerFeature.msrs | {SSP}

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if msr == SSP:
            return FAULT
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        if msr == SSP:
            return FAULT
        return (yield from super().on_rdmsr(cpu, msr, host_initiated=host_initiated))


def test_explained_differences_are_counted():
    with bench(real=lambda: RefusesTheLast(choose())) as both:
        assert [entry.name for entry in both.known.entries] == ["internal-guest-ssp"]
        names = {one.name for one in exclusions()} - {"unknown-is-fault"}
        both.known = replace(both.known, left_out=LeftOut(exclusions(), names))  # an entry more takes time
        verdicts = [both.judge(sequence(1, number, 200).operations) for number in range(60)]
        assert all(verdict.divergence is None for verdict in verdicts)
        assert sum(verdict.known["internal-guest-ssp"] for verdict in verdicts) > 5
        both.known = replace(both.known, entries=())
        assert any(both.judge(sequence(1, number, 200).operations).divergence for number in range(40))


def test_a_kernel_of_the_future_is_simulated_with_its_mitigation():
    with bench(
        simulated=lambda: PerFeature(choose(), ["commit-after-check"]),
        real=lambda: PerFeature(choose(), ["commit-after-check"]),
    ) as both:
        assert both.known.mitigations == ("commit-after-check",)
        assert all(both.judge(sequence(1, number, 200).operations).divergence is None for number in range(30))


@pytest.mark.parametrize("content", ["", "{}", "[{}]", json.dumps([{"name": "x", "shown_by": [{"op": "fly"}]}])])
def test_a_malformed_file_is_told_in_one_line(tmp_path, content):
    path = tmp_path / "known.json"
    path.write_text(content)
    if content == "{}":
        assert known.load(path) == ()
        return
    with pytest.raises(WorkbenchError) as caught:
        known.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_in_one_line(tmp_path):
    with pytest.raises(WorkbenchError, match="cannot be read"):
        known.load(tmp_path / "absent.json")


def test_a_register_that_kvm_refuses_by_itself_is_an_entry_less():
    """The simulator leaves 0x4b564dff to the VMM, so it enters, and updates steal time, once more."""
    lines = (
        '{"op": "machine", "vcpus": 2}',
        '{"op": "ram", "gpa": 0, "size": "0x8000"}',
        '{"op": "wrmsr", "msr": "0x4b564d03", "value": "0x1001"}',
        '{"op": "rdmsr", "msr": "0x4b564dff"}',
        '{"op": "load", "gpa": "0x1000", "size": 64}',
    )
    operations = parse("f", "\n".join(lines).encode()).operations
    with bench(real=lambda: RefusesTheLast(choose())) as both:
        both.known = replace(both.known, left_out=None)
        assert both.judge(operations).divergence is None
        both.known = replace(both.known, entries=(), left_out=LeftOut(exclusions(), []))
        assert both.judge(operations).divergence.key == "outcome"
