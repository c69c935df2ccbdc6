"""Events one after the other: what a part sees of the parts before it, in every engine."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.told import told
from workbench.cli import main
from workbench.core.outcome import Fate, worst
from workbench.core.scenario import Scenario, beliefs
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS, choose, composed, is_open
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.finding_replay import RecordedFinding
from workbench.measure.variants import variant

STEAL = choose_features(["steal_time"])


def run(protocol, event, vcpus=2, features=None, **options):
    chosen = choose_features(features)
    (happening,) = choose([event])
    return simulate(Scenario(variant(protocol).protocol(chosen), chosen, vcpus=vcpus), happening, **options)


def fate(protocol, event, **options):
    return worst(list(run(protocol, event, **options).fates.values()))


# -- names ---------------------------------------------------------------------------------------------------------


def test_a_joined_event_is_called_by_its_parts():
    (event,) = choose(["init+cpu-hotplug"])
    assert (event.name, event.title) == ("init+cpu-hotplug", "INIT, then online again, then CPU hotplug")
    assert event.min_vcpus == 2
    assert repr(event) == "<event init+cpu-hotplug>"
    assert choose(["init+cpu-hotplug", "init+cpu-hotplug"]) == (event,)


def test_what_ships_comes_first_and_joined_ones_follow_as_named():
    assert [event.name for event in choose(["kexec+init", "init", "boot+kexec", "boot"])] == [
        "boot", "init", "kexec+init", "boot+kexec",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["all+migrate", "migrate+all"])
def test_all_may_be_a_part(name):
    found = {event.name for event in choose([name])}
    assert found == {name.replace("all", other) for other in EVENTS}
    assert is_open(name)
    assert not is_open("init+migrate")


def test_all_ordered_pairs_but_those_that_cannot_happen():
    pairs = choose(["all+all"])
    pages = [name for name in EVENTS if name.startswith("second-page-")]
    impossible = {f"memslot-unplug+{second}" for second in ("memslot-unplug", "memslot-return")}
    impossible |= {f"{one}+{two}" for one in pages for two in pages}
    assert {event.name for event in pairs} == {f"{one}+{two}" for one in EVENTS for two in EVENTS} - impossible


@given(st.lists(st.sampled_from(sorted(EVENTS)), min_size=3, max_size=4))
def test_how_parts_are_grouped_makes_no_difference(names):
    parts = [EVENTS[name] for name in names]
    try:
        flat = composed(parts)
    except WorkbenchError:
        return
    assert composed([composed(parts[:2]), *parts[2:]]) == flat == composed([parts[0], composed(parts[1:])])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("init+", "event 'init+' has an empty part; a name is expected on both sides of +"),
        ("+init", "event '+init' has an empty part; a name is expected on both sides of +"),
        ("init++kexec", "event 'init++kexec' has an empty part; a name is expected on both sides of +"),
        ("init+noon", "unknown event 'noon'"),
        ("noon+all", "unknown event 'noon'"),
        (
            "memslot-unplug+memslot-return",
            "event 'memslot-unplug+memslot-return' cannot happen: there is no memory left that 'memslot-return' could "
            "unplug",
        ),
    ],
)
@pytest.mark.parametrize("command", ["compare", "explore null", "matrix", "list", "export dot null -o x", "report r"])
def test_wrong_names_are_one_line(capsys, tmp_path, monkeypatch, command, name, why):
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), "--events", name]) == 2
    out, err = capsys.readouterr()
    assert (out, told(err)[0]) == ("", why)
    assert list(tmp_path.iterdir()) == []


def test_another_kernel_has_memory_to_unplug():
    assert [event.name for event in choose(["memslot-unplug+kexec+memslot-unplug"])]
    assert fate("per_feature", "memslot-unplug+kexec+memslot-unplug") is Fate.SILENT


# -- what a part sees of those before ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "generation"),
    [("migrate+init", 0), ("kexec+migrate", 1), ("kexec+kexec", 2), ("crash+kexec", 2), ("migrate+boot", 1),
     ("boot+boot+kexec", 2)],
)  # fmt: skip
@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_the_kernel_that_runs_is_the_one_that_the_parts_before_have_left(protocol, event, generation):
    ended = run(protocol, event, features=["steal_time"])
    units = {ended.scenario.unit_at(gpa) for gpa in beliefs(ended.machine.notes).values()}
    assert {unit.generation for unit in units} == {generation}
    assert ended.scenario.kernels == 2 + generation - event.endswith("+kexec")


@pytest.mark.parametrize(
    ("event", "generic", "per_feature"),
    [
        ("init+migrate", Fate.LOST, Fate.REGISTERED),
        ("kexec+migrate", Fate.LOST, Fate.REGISTERED),
        ("haltpoll+migrate", Fate.LOST, Fate.REGISTERED),
        ("migrate+kexec", Fate.REGISTERED, Fate.REGISTERED),
        ("migrate-no-state+init", Fate.LOST, Fate.LOST),
        ("kexec-no-teardown+migrate", Fate.STALE, Fate.STALE),
        ("migrate+kexec-no-teardown", Fate.REGISTERED, Fate.STALE),  # a host that has forgotten writes nowhere
        ("cpu-unplug+cpu-hotplug", Fate.REGISTERED, Fate.REGISTERED),
        ("migrate-old-host+cpu-hotplug", Fate.LOST, Fate.LOST),
        ("old-host+kexec", Fate.REFUSED, Fate.SILENT),
    ],
)
def test_fates(event, generic, per_feature):
    assert (fate("generic", event), fate("per_feature", event)) == (generic, per_feature)


def test_memory_that_was_given_away_is_a_kernels_again_when_it_registers_there():
    ended = run("per_feature", "cpu-unplug+cpu-hotplug")
    assert (ended.strays, set(ended.fates.values()) - {Fate.REGISTERED, Fate.RELEASED, Fate.UNSUPPORTED}) == (0, set())


def test_and_until_then_it_is_somebody_elses():
    alone = run("per_feature", "cpu-unplug-no-teardown").strays
    assert run("per_feature", "cpu-unplug-no-teardown+migrate").strays > alone > 0
    assert run("per_feature", "cpu-unplug+cpu-hotplug+cpu-unplug-no-teardown").strays > 0, "given away once more"


def test_the_setup_is_that_of_the_part_that_has_one():
    later = run("per_feature", "migrate+cpu-hotplug", features=["steal_time"])
    assert later.boot_counts["wrmsr_exits"] == 1, "the last vCPU is down until the hotplug"
    again = run("per_feature", "cpu-unplug+cpu-hotplug", features=["steal_time"])
    assert again.boot_counts["wrmsr_exits"] == 2, "it is up, goes down, and comes up once more"
    assert run("per_feature", "boot+cpu-hotplug", features=["steal_time"]).boot_counts["wrmsr_exits"] == 0


def test_the_machine_is_adapted_to_all_parts():
    (event,) = choose(["i386-guest+encrypted+old-host"])
    scenario = event.adapt(Scenario(variant("null").protocol(STEAL), STEAL))
    assert (scenario.abi.name, scenario.encrypted, scenario.host.knows_protocol) == ("I386", True, False)


def test_a_boot_that_is_not_first_is_a_reset_of_the_machine():
    """per_feature R16: INIT clears the registers; the generic registry outlives it, and its areas are reused memory."""
    assert not run("per_feature", "migrate+boot").strays
    stale = explore_question(Question.of("generic", "init+boot", STEAL)).result.verdicts["F01"]
    fine = explore_question(Question.of("per_feature", "init+boot", STEAL)).result.verdicts["F01"]
    assert (stale, fine) == ("FAILS", "HOLDS")


@settings(max_examples=25)
@given(st.sampled_from(sorted(EVENTS)), st.sampled_from(sorted(EVENTS)), st.sampled_from(["generic", "per_feature"]))
def test_many_vcpus_at_once_end_as_one_by_one(first, then, protocol):
    try:
        choose([f"{first}+{then}"])
    except WorkbenchError:
        return
    one, many = (run(protocol, f"{first}+{then}", vcpus=5, lanes=lanes) for lanes in (False, True))
    assert (one.counts, one.fates, one.strays) == (many.counts, many.fates, many.strays)
    assert one.machine.entries == many.machine.entries


# -- the explorer, its findings, SPIN, a real KVM --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "protocol", "vcpus", "fails"),
    [
        ("init+migrate", "generic", 1, {"F02"}),
        ("init+migrate", "per_feature", 1, set()),
        ("kexec+migrate", "generic", 1, {"F02"}),
        ("kexec+migrate", "per_feature", 1, set()),
        ("kexec+kexec", "generic", 1, set()),
        ("cpu-unplug+cpu-hotplug", "per_feature", 2, set()),
        ("suspend-resume+kexec", "per_feature", 1, set()),
        ("migrate-no-state+init", "per_feature", 1, set()),  # it registers again, and is at rest only then
        ("init+migrate-no-state", "per_feature", 1, {"F02"}),
        ("kexec-no-teardown+migrate", "per_feature", 1, {"F01"}),
    ],
)
def test_explored(event, protocol, vcpus, fails):
    exploration = explore_question(Question.of(protocol, event, STEAL, vcpus))
    assert {code for code, word in exploration.result.verdicts.items() if word == "FAILS"} == fails
    for failure in exploration.failures:
        recorded = RecordedFinding.of(exploration, failure)
        if recorded is not None:
            assert recorded.event == event
            assert recorded.happens(), f"{failure.code} is confirmed on the bytes of a machine"


@pytest.mark.slow
def test_endless_registrations_are_cut_in_a_part_too():
    question = Question.of("generic", "hostile-endless+init", STEAL)
    assert explore_question(question, max_states=50_000).result.limit is None


@pytest.mark.spin
@pytest.mark.parametrize("event", ["init+migrate", "kexec+migrate"])
def test_spin_counts_the_same(event, to_the_table):
    from workbench.measure.exploration.crosscheck import compared

    found = compared(Question.of("generic", event, STEAL))
    to_the_table(found)
    assert found.equal


@pytest.mark.kvm
def test_on_a_real_kvm(capsys):
    events = "init+migrate,kexec+kexec,cpu-unplug+cpu-hotplug,migrate+boot,crash+migrate,haltpoll+migrate"
    asked = ["--protocols", "per_feature,generic+carry-registry", "--events", events, "--vcpus", "2"]
    assert main(["kvm", *asked, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 12
    assert [row["simulated"] for row in rows] == [row["measured"] for row in rows]


# -- commands ------------------------------------------------------------------------------------------------------


def test_a_mitigation_and_a_joined_event_do_not_meet(capsys):
    asked = ["--protocols", "generic+carry-registry", "--events", "init+migrate", "--vcpus", "1", "--metrics", "fate"]
    assert main(["compare", *asked, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["protocol"], row["event"], row["value"]) == ("generic+carry-registry", "init+migrate", "registered")


def test_a_part_may_be_ones_own(tmp_path, monkeypatch, capsys):
    import shutil

    from tests.house.imports import ROOT

    shutil.copy(ROOT / "tests/additions/sleepy_vmm.py", tmp_path / "nap+1.py")
    monkeypatch.chdir(tmp_path)
    asked = ["--protocols", "generic", "--features", "steal_time", "--property", "F02", "--jobs", "2"]
    named = "nap+1.py:SleepyVmm+migrate,migrate+nap+1.py"
    assert main(["matrix", "--events", named, *asked, "--format", "json"]) == 0
    cells = json.loads(capsys.readouterr().out)
    assert [(cell["event"], cell["verdict"]) for cell in cells] == [
        ("sleepy-vmm+migrate", "FAILS"), ("migrate+sleepy-vmm", "FAILS"),
    ]  # fmt: skip
    assert main(["compare", "--events", "init+nap+1.py", "--vcpus", "1", "--metrics", "fate"]) == 0
    assert "events: init+sleepy-vmm (init+nap+1.py" in capsys.readouterr().out


def test_what_follows_a_migration_happens_on_the_destination():
    """A second VMM that restores in reverse meets a refusal first, as on a real KVM without a LAPIC."""
    found = run("per_feature", "migrate-no-lapic+migrate-reordered")
    assert found.fates[0, "kvmclock"] is Fate.LOST
    assert not found.machine.cpus[0].host.irqchip
