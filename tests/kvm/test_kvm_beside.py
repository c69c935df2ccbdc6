"""The simulator agrees with this host's KVM on the fates of every event under every protocol."""

import json
import re
from dataclasses import asdict, replace

import pytest

from workbench.engines.kvm import survey
from workbench.engines.kvm.engine import this_host
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle import choose as choose_events
from workbench.measure.comparison import cost
from workbench.measure.on_kvm import kvm_agreement, measured_file, validation
from workbench.measure.on_kvm import runs as on_kvm
from workbench.measure.on_kvm.kvm_agreement import KnownDifference
from workbench.measure.on_kvm.runs import Measurement
from workbench.measure.variants import variants

THIRD = "tests/protocols/data/third.py"
VARIANTS = (
    "generic",
    "generic+carry-registry",
    "generic+init-revokes",
    "generic+revoke-all",
    "generic+revoke-vm+quiesce",
    "per_feature",
    "null",
)
NOT_HERE = {
    "ignore-msrs", "hidden-ignored", "encrypted", "encrypted-unshared", "allow-migration", "allow-migration-unserved"
}  # fmt: skip

DIFFERENCE = KnownDifference(
    "generic", "boot", "kvmclock", "4 registered", "4 stale", "6.1", "6.12", "because", "a mail"
)


@pytest.fixture
def here(repo, monkeypatch):
    """Relative paths of protocol files count from the top of the checkout."""
    monkeypatch.chdir(repo)


@pytest.mark.kvm
@pytest.mark.parametrize(
    ("vcpus", "names"),
    [(1, ("generic", "per_feature")), pytest.param(4, (*VARIANTS, THIRD), marks=pytest.mark.slow)],
)
def test_every_event_comes_to_the_same_words(here, vcpus, names):
    chosen = variants(names)
    lines = kvm_agreement.beside(on_kvm.measurements(chosen, vcpus=vcpus), this_host().kernel, chosen)
    assert kvm_agreement.unexplained(lines) == []
    assert {line.event for line in lines if line.not_run} == NOT_HERE
    assert all(line.not_run for line in lines if line.event in NOT_HERE)


#: Joined events in which, of the simulator and the observation of a real KVM, one was wrong (docs/real-kvm.md).
JOINED = (
    "kexec+hostile-bad-base",
    "kexec+hostile-page-crossing",
    "kexec+hostile-wrap",
    "memslot-unplug+migrate",
    "memslot-unplug+double-registration",
    "memslot-unplug+double-registration-crossing",
    "migrate-damaged+migrate-no-state",
    "migrate-polling+hostile-page-crossing",
    "old-host+haltpoll",
    "hidden-features+haltpoll",
    "haltpoll+migrate-no-state",
    "overlap+hostile-ram-over",
    "hostile-huge+hostile-user-mode",
)


def joined(names):
    """Return what differs between the simulator and this KVM, for both designs, at two vCPUs."""
    chosen, events = variants(("generic", "per_feature")), choose_events(names)
    happening = [event for event in events if event.min_vcpus <= 2]
    lines = on_kvm.measurements(chosen, happening, vcpus=2)
    return kvm_agreement.beside(lines, this_host().kernel, chosen, events=happening)


@pytest.mark.kvm
def test_joined_events_come_to_the_same_words():
    lines = joined(JOINED)
    assert kvm_agreement.unexplained(lines) == []
    assert not any(line.not_run for line in lines)


@pytest.mark.kvm
@pytest.mark.slow
def test_all_pairs_of_events_come_to_the_same_words():
    lines = joined(["all+all"])
    assert kvm_agreement.unexplained(lines) == []
    assert sum(not line.not_run for line in lines) > 4000


@pytest.mark.kvm
def test_a_machine_without_a_lapic_is_not_reset_by_init():
    assert all("INIT comes through the LAPIC" in line.not_run for line in joined(["kexec+no-lapic"]))


@pytest.mark.kvm
def test_a_third_protocol_from_a_file_is_served_by_its_own_handlers(here):
    (third,) = variants([THIRD])
    (boot,) = on_kvm.measurements([third], ["boot"])
    assert {word for words in boot.words.values() for word in words} == {"registered", "released"}
    assert boot.user_exits == boot.guest_wrmsrs == 18
    assert boot.payloads == {"kvmclock": 4, "steal_time": 4, "wall_clock": 1}


@pytest.mark.kvm
def test_register_values_come_to_the_same_in_the_simulator():
    measured = [validation.measured(one) for one in survey.verdicts()]
    assert measured == list(validation.all_simulated())
    assert len({one.register for one in measured}) == 8


@pytest.mark.kvm
def test_payloads_are_written_when_the_interface_says():
    found = {one.register: one for one in survey.behaviours()}
    assert found["STEAL_TIME"].every_entry
    assert found["SYSTEM_TIME_NEW"][1:] == (True, True, False, True)
    assert found["WALL_CLOCK_NEW"][1:] == (True, True, False, False)


@pytest.mark.kvm
def test_steal_time_is_updated_when_the_vcpu_is_loaded_and_not_after_each_exit():
    """The number of entries is an upper bound of the updates, as the feature says, and no more than a bound."""
    found = {(one.register, one.runs, one.writes): one.updates for one in measured_file.update_counts()}
    (runs, none), *in_one_run = survey.LOADS
    assert (FEATURES["steal_time"].count_is, none) == ("upper bound", 0)
    assert found["STEAL_TIME", runs, 0] >= runs
    for run, writes in in_one_run:
        assert run <= found["STEAL_TIME", run, writes] < writes
    assert all(not updates for (name, _, _), updates in found.items() if name == "WALL_CLOCK_NEW")


def test_a_file_from_before_updates_were_counted_is_read(tmp_path):
    (shipped,) = measured_file.known()
    data = json.loads(shipped.read_text())
    data.pop("updates", None)
    (tmp_path / "older.json").write_text(json.dumps(data))
    assert measured_file.load(tmp_path / "older.json").updates == ()


@pytest.mark.kvm
def test_measured_rows_have_the_columns_of_simulated_ones_and_say_which_kvm_it_was():
    table = on_kvm.on_kvm(["generic"], ["boot", "ignore-msrs"])
    assert set(table["engine"]) == {"kvm"}
    value = {(row.event, row.metric): row.value for row in table.itertuples()}
    assert value["boot", "host"] == value["ignore-msrs", "host"] == this_host().line
    assert value["boot", "user_exits"] == 18
    assert value["boot", "kernel_exits"] is None
    assert value["ignore-msrs", "fate"] == "not run"
    assert "parameter of the whole host" in value["ignore-msrs", "not_run"]
    assert ("ignore-msrs", "user_exits") not in value


# -- what needs no KVM ---------------------------------------------------------------------------------------


def with_a_stale_clock(kernel, known):
    """Return the comparison of a boot in which all areas are as simulated, and the clocks are stale."""
    simulated, _ = on_kvm.simulated_words(variants(["generic"])[0], choose(), 4, EVENTS["boot"])
    words = {**simulated, "kvmclock": {"stale": 4}}
    (line,) = kvm_agreement.beside([Measurement("generic", "boot", 4, "all", words=words)], kernel, known=known)
    return line


def test_a_difference_is_reported_until_it_is_known():
    line = with_a_stale_clock("6.8", [])
    assert (line.simulated, line.measured) == ("registered", "stale")
    assert line.difference == "kvmclock: 4 stale, not 4 registered"
    assert kvm_agreement.unexplained([line]) == [line]


@pytest.mark.parametrize(
    ("kernel", "explained"),
    [("6.1", True), ("6.1.44-x", True), ("6.12.1", True), ("6.0", False), ("6.13", False), ("5.10", False)],
)
def test_a_known_difference_holds_for_its_kernels_alone(kernel, explained):
    line = with_a_stale_clock(kernel, [DIFFERENCE])
    assert line.known == ("because (a mail)" if explained else "")
    assert kvm_agreement.unexplained([line]) == ([] if explained else [line])


def test_a_known_difference_explains_no_other():
    line = with_a_stale_clock("6.8", [replace(DIFFERENCE, measured="4 lost")])
    assert kvm_agreement.unexplained([line]) == [line]


def test_the_table_of_known_differences_gives_reasons_and_sources():
    for entry in kvm_agreement.known_differences():
        assert entry.reason
        assert entry.source
        assert kvm_agreement.version(entry.first_kernel)


def test_measurements_survive_a_file():
    one = Measurement("p", "e", 4, "all", None, {"a": {"lost": 1}}, 3, 4, {"a": 1}, 2, (266, 4, 0))
    assert Measurement.from_record(json.loads(json.dumps(one.as_record()))) == one


def test_the_recorded_data_is_whole_and_says_where_it_is_from():
    files = measured_file.known()
    assert files
    for path in files:
        found = measured_file.load(path)
        assert path.stem == found.name
        assert measured_file.as_json(found) == path.read_text()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", found.made["date"])
        assert found.made["command"].startswith("workbench calibrate")
        assert found.host["module"] in found.host["line"]
        assert found.host["cpu"]
        assert {one.protocol for one in found.events} == set(measured_file.PROTOCOLS)
        assert found.validation
        assert all(cost.lower_ns <= cost.median_ns <= cost.upper_ns for cost in found.costs)


def test_the_recorded_words_are_still_the_simulators():
    for found in measured_file.all_measured_files():
        lines = kvm_agreement.beside(found.events, found.host["kernel"])
        assert kvm_agreement.unexplained(lines) == []
        assert list(found.validation) == list(validation.all_simulated())


def test_costs_of_an_emulating_kvm_are_no_cost_model():
    for found in measured_file.all_measured_files():
        if found.host["emulated"]:
            assert found.costs_are == "emulated guest kernel code: not hardware exit costs"
            with pytest.raises(WorkbenchError, match="guest kernel code is emulated here"):
                measured_file.cost_model(found)


def test_costs_of_a_native_kvm_are_one(tmp_path):
    (found, *_) = measured_file.all_measured_files()
    native = replace(found, host={**found.host, "emulated": False})
    model = measured_file.cost_model(native)
    assert model.kernel_exit_cycles > 0
    assert model.user_exit_cycles > 0
    assert found.host["cpu"] == model.hardware
    assert "Python" in model.stands_for
    path = tmp_path / "here.model.json"
    path.write_text(json.dumps(asdict(model)))
    assert cost.load(str(path)) == model


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON: "),
        ("[]", "is not of format 1"),
        ('{"format": 2}', "is not of format 1"),
        ('{"format": 1, "host": {}}', "is not complete: 'made'"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(WorkbenchError, match=f"x.json.* {message}"):
        measured_file.load(path)
