"""Events under a named VMM: what becomes of the machine, the same in every engine, and what names it."""

import json

import pytest

from workbench.checking.failures import choose as choose_failures
from workbench.cli import main
from workbench.core.outcome import Becomes, Fate
from workbench.core.restoring import written
from workbench.core.scenario import Scenario, becomes
from workbench.core.vmm import STOPS_SHORT, VMMS
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS, choose, choose_one, under_vmms
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.variants import features_of, variant, variants
from workbench.protocols import PROTOCOLS, PerFeature

RESTORING = [name for name, event in EVENTS.items() if event.restores]
DESIGNS = [one.label for one in variants(["all", "generic+carry-registry+validate-restore"])]
#: Where a VMM's own list decides: cloud-hypervisor's names a clock twice, and the second entry repairs the first; QEMU
#: leaves out what the destination does not offer, so that nothing is refused (until 9.2 not the clocks).
REPAIRS, LEAVES_OUT = ("migrate-damaged", "cloud-hypervisor"), ("migrate-clock-hidden", "qemu")
ENDS = {
    "qemu": Becomes.ABORTS, "firecracker": Becomes.REFUSED, "cloud-hypervisor": Becomes.LESS,
    "qemu-9.2": Becomes.ABORTS,
}  # fmt: skip


def run(design, event, vcpus=2):
    one = variant(design)
    features = features_of(one, None)
    happening = choose_one(event)
    scenario = Scenario(one.protocol(features), features, vcpus=max(vcpus, happening.min_vcpus))
    return simulate(scenario, happening)


def left(done):
    """Return what a run leaves; when the host's counts began depends on how long the VMM's list is."""
    held = {key: value for key, value in done.machine.entries.items() if key.kind != "baseline"}
    return held, done.machine.notes, done.fates


@pytest.mark.parametrize("event", RESTORING)
@pytest.mark.parametrize("design", DESIGNS)
def test_vmms_differ_only_where_something_is_refused(design, event):
    plain = run(design, event)
    under = {name: run(design, f"{event}@{name}") for name in VMMS}
    said = plain.machine.notes.get(becomes())
    if said is None:
        differing = {name for name, one in under.items() if left(one) != left(plain)}
        assert differing == ({REPAIRS[1]} if (design, event) == ("per_feature", REPAIRS[0]) else set())
        return
    assert said is STOPS_SHORT.becomes
    if (design, event) == ("per_feature", LEAVES_OUT[0]):
        assert under[LEAVES_OUT[1]].machine.notes.get(becomes()) is None
        assert Fate.ENDED not in under.pop(LEAVES_OUT[1]).fates.values()
    for name, one in under.items():
        assert one.machine.notes.get(becomes()) is ENDS[name]
        if ENDS[name].is_end:
            assert not one.machine.entries
            assert set(one.fates.values()) <= {Fate.ENDED, Fate.UNSUPPORTED}
        else:
            assert Fate.ENDED not in one.fates.values()


def test_some_vmms_do_differ():
    """Otherwise the test above would prove nothing."""
    refused = {(design, event) for design in DESIGNS for event in RESTORING
               if run(design, event).machine.notes.get(becomes()) is not None}  # fmt: skip
    assert {("per_feature", "migrate-no-lapic"), ("per_feature", "migrate-clock-hidden")} <= refused
    assert ("generic+carry-registry+validate-restore", "migrate-damaged") in refused
    assert len({design for design, _ in refused}) > 4


@pytest.mark.parametrize(("vmm", "fates"), [
    ("qemu", {Fate.ENDED}),
    ("cloud-hypervisor", {Fate.REGISTERED, Fate.LOST}),
    ("firecracker", {Fate.ENDED}),
])  # fmt: skip
def test_a_kvm_without_lapic_refuses_a_register(vmm, fates):
    """Under cloud-hypervisor page faults alone are lost; the other registers stand behind it in the list."""
    found = run("per_feature", f"migrate-no-lapic@{vmm}").fates
    assert {fate for (_, name), fate in found.items() if name in ("kvmclock", "steal_time", "async_pf")} == fates
    if vmm == "cloud-hypervisor":
        assert {name for (_, name), fate in found.items() if fate is Fate.LOST} == {"async_pf"}


@pytest.mark.parametrize(("vmm", "codes"), [("qemu", ["F29"]), ("firecracker", ["F29"]), ("cloud-hypervisor", [])])
def test_the_explorer_finds_the_end(vmm, codes):
    question = Question(
        variant("per_feature"), choose_one(f"migrate-no-lapic@{vmm}"), choose_features(["kvmclock"]), 1
    )
    found = explore_question(question)
    named = choose_failures(["F02", "F29"])
    assert [one.code for one in named if found.finding(one) is not None] == codes


class RefusesAll(PerFeature):
    """A host that refuses every register that a VMM restores."""

    name = "refuses_all"

    def restore(self, cpus, saved):
        return (yield from written(cpus, saved, self.refuse))

    def refuse(self, cpus, item):
        return False
        yield


@pytest.mark.parametrize("event", sorted({*RESTORING} - {"migrate-no-state", "migrate-old-host"}))
def test_no_event_forgets_to_ask_its_vmm(event):
    happening = choose_one(f"{event}@qemu")
    features = choose_features()
    scenario = Scenario(RefusesAll(features), features, vcpus=max(2, happening.min_vcpus))
    assert set(simulate(scenario, happening).fates.values()) <= {Fate.ENDED, Fate.UNSUPPORTED}


@pytest.mark.parametrize("vmm", ["qemu", "cloud-hypervisor"])
def test_a_destination_that_hides_the_clocks_loses_them_alone(vmm):
    """QEMU does not write them, cloud-hypervisor goes on after the refusal; Firecracker does not start the machine."""
    found = run("per_feature", f"migrate-clock-hidden@{vmm}").fates
    assert {name for (_, name), fate in found.items() if fate is Fate.LOST} == {"kvmclock", "wall_clock"}
    for other in ("firecracker", "qemu-9.2"):
        assert Fate.ENDED in run("per_feature", f"migrate-clock-hidden@{other}").fates.values()


def test_nothing_follows_the_end_of_a_machine():
    ended = run("per_feature", "migrate-no-lapic@qemu+kexec")
    assert ended.fates == run("per_feature", "migrate-no-lapic@qemu").fates
    on = run("per_feature", "migrate-no-lapic@cloud-hypervisor+kexec")
    assert Fate.ENDED not in on.fates.values()


def test_an_event_under_a_vmm_is_one_event():
    assert choose_one("migrate@qemu") is choose_one("migrate@qemu")
    assert choose(["migrate@qemu", "migrate"])[0] is EVENTS["migrate"]
    assert under_vmms(["boot", "init+migrate"], ["qemu", "firecracker"]) == [
        "boot", "init+migrate@qemu", "init+migrate@firecracker",
    ]  # fmt: skip
    assert set(under_vmms(None, ["qemu"])) == {f"{name}@qemu" for name in RESTORING}


@pytest.mark.parametrize(("name", "message"), [
    ("migrate@qemuu", "unknown VMM 'qemuu'"),
    ("boot@qemu", "event 'boot' restores no machine"),
    ("migrate@", "unknown VMM ''"),
    ("@qemu", "unknown event ''"),
    ("migrate@qemu@qemu", "unknown event 'migrate@qemu'"),
])  # fmt: skip
def test_a_name_that_is_none_is_said(name, message):
    with pytest.raises(WorkbenchError, match=message):
        choose_one(name)


def test_the_option_names_the_events(capsys):
    asked = ["--protocols", "per_feature", "--vcpus", "2", "--metrics", "fate", "--format", "json"]
    assert main(["compare", "--events", "boot,migrate-no-lapic", "--vmm", "qemu,firecracker", *asked]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["event"]: row["value"] for row in rows} == {
        "boot": "registered", "migrate-no-lapic@qemu": "ended", "migrate-no-lapic@firecracker": "ended",
    }  # fmt: skip


@pytest.mark.parametrize("vmm", VMMS)
@pytest.mark.kvm
def test_a_real_kvm_ends_alike(vmm, tmp_path, capsys):
    asked = ["--events", "migrate-no-lapic", "--vmm", vmm, "--protocols", "per_feature,generic", "--vcpus", "2"]
    assert main(["kvm", *asked]) == 0
    assert "The words of every area are the same in 2 of 2 runs." in capsys.readouterr().out


@pytest.mark.spin
@pytest.mark.parametrize("vmm", VMMS)
def test_spin_agrees(vmm, capsys):
    asked = ["--events", f"migrate-no-lapic@{vmm}", "--features", "kvmclock", "--vcpus", "1"]
    assert main(["crosscheck", "per_feature", *asked]) == 0


def test_every_vmm_and_property_has_its_source():
    assert all(vmm.sources and vmm.title for vmm in (STOPS_SHORT, *VMMS.values()))
    assert all(all(source) for vmm in (STOPS_SHORT, *VMMS.values()) for source in vmm.sources)
    assert choose_failures(["machine-ended"])[0].code == "F29"
    assert PROTOCOLS
