"""The figures of a Linux 6.12 boot that are known from the kernel's and QEMU's source."""

import pytest

from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.measure import compare, ledger, measured, pivot, state_entries, variant, variants
from workbench.measure.comparison.guest_memory import guest_memory_use, padding
from workbench.measure.comparison.state import entry_kinds, state_of_run

EVERYTHING = tuple(FEATURES.values())
BOOT = EVENTS["boot"]


def value(table, protocol, metric, event="boot"):
    chosen = table[(table["protocol"] == protocol) & (table["metric"] == metric) & (table["event"] == event)]
    return chosen["value"].item()


@pytest.fixture(scope="module")
def table():
    return compare(vcpus=64, events=["boot", "migrate", "migrate-old-host"])


def test_64_vcpus_write_321_registers(table):
    # 6 on the boot CPU, 5 on each other; 4 areas for each CPU and one for the VM
    assert value(table, "per_feature", "wrmsr_exits") == 6 + 63 * 5 == 321
    assert value(table, "per_feature", "areas") == 64 * 4 + 1
    assert value(table, "per_feature", "user_exits") == 0


def test_generic_registers_the_same_areas_and_one_in_user_space(table):
    assert value(table, "generic", "areas") == 64 * 4 + 1 + 1
    assert value(table, "generic", "wrmsr_exits") == 64 * 4 + 1 + 1
    assert value(table, "generic", "user_exits") == 1
    assert value(table, "generic", "descriptor_bytes") == 64 * 24


def test_state_is_what_qemu_sends(table):
    assert value(table, "per_feature", "state_bytes") == 64 * 146
    assert value(table, "per_feature", "state_entry_bytes") == 64 * 6 * 16
    assert value(table, "per_feature", "state_interfaces") == 1
    assert value(table, "per_feature", "state_new_interfaces") == 0
    assert value(table, "per_feature", "state_unarchitected_bytes") == 0
    assert value(table, "per_feature", "state_carried_bytes") == 64 * 146


def test_generic_state_is_carried_by_nothing_and_shown_by_no_register(table):
    assert value(table, "generic", "state_carried_bytes") == 0
    assert value(table, "generic", "state_new_interfaces") == 1
    assert value(table, "generic", "state_unarchitected_bytes") == value(table, "generic", "state_bytes")


def test_poll_control_makes_180_bytes():
    entries = state_of_run(variant("per_feature"), EVERYTHING, 2, BOOT, values=True)
    assert sum(entry.wire_bytes for entry in entries) == 2 * 180


def test_state_is_that_of_the_last_host(table):
    assert value(table, "generic", "state_entries", "migrate") == 0
    assert value(table, "per_feature", "state_bytes", "migrate") == 64 * 146
    assert value(table, "per_feature", "state_bytes", "migrate-old-host") == 0


def test_one_word_for_each_event(table):
    words = pivot(table, "fate")
    assert list(words.columns) == ["generic", "per_feature"]
    assert list(words.loc["migrate"]) == ["lost", "registered"]


def test_state_entry_by_entry():
    table = state_entries(variants(["generic", "per_feature"]), EVERYTHING, 3, BOOT)
    assert list(table.columns) == [
        "protocol", "event", "owner", "name", "bytes", "wire", "interface", "architected", "carried",
    ]  # fmt: skip
    generic = table[table["protocol"] == "generic"]
    assert not generic["carried"].any()
    assert not generic["architected"].any()
    assert set(generic[generic["owner"] == "VM"]["name"]) >= {"area wall_clock", "area watchdog"}
    assert len(generic[generic["owner"] == "vcpu 2"]) == 5


def test_entries_of_all_vcpus_are_put_together():
    entries = state_of_run(variant("per_feature"), EVERYTHING, 5, BOOT)
    kinds = entry_kinds(entries)
    assert [kind.copies for kind in kinds] == [5] * 6
    assert sum(kind.wire * kind.copies for kind in kinds) == sum(entry.wire_bytes for entry in entries)


def test_every_line_of_the_ledger_has_a_source():
    table = ledger(EVERYTHING)
    assert table["source"].str.len().min() > 10
    assert list(ledger(choose(["pv_eoi"]))["feature"]) == ["pv_eoi"]


def test_padding_is_what_alignment_costs():
    by_name = FEATURES
    assert padding(0, ()) == 0
    assert padding(24, (by_name["kvmclock"],)) == 0
    assert padding(24, (by_name["async_pf"],)) == 40  # 24 -> 64
    assert padding(20, (by_name["poll_control"],)) == 4  # 20 -> 24


def test_a_value_in_a_register_needs_no_guest_memory():
    run = measured(variant("per_feature"), choose(["poll_control"]), 2, EVENTS["haltpoll"])
    assert run.guest_memory == (0, 0, 0, 0)
    run = measured(variant("generic"), choose(["poll_control"]), 2, EVENTS["haltpoll"])
    assert run.guest_memory.payloads == 2 * 8


def test_the_new_kernel_has_descriptors_and_areas_on_its_own_pages():
    before = measured(variant("generic"), EVERYTHING, 3, BOOT).guest_memory
    after = measured(variant("generic"), EVERYTHING, 3, EVENTS["kexec"]).guest_memory
    assert before == after


def test_the_same_question_is_run_once():
    first = measured(variant("generic"), EVERYTHING, 2, BOOT)
    assert measured(variant("generic"), EVERYTHING, 2, BOOT) is first


@pytest.mark.parametrize("vcpus", [0, -1, 4097])
def test_impossible_machines_are_refused(vcpus):
    with pytest.raises(WorkbenchError, match=f"^{vcpus} vCPUs: allowed are 1 to 4096$"):
        compare(vcpus=vcpus)


def test_an_event_that_needs_more_vcpus():
    with pytest.raises(WorkbenchError, match=r"^event 'cpu-hotplug' needs at least 2 vCPUs; here are 1$"):
        compare(vcpus=1, events=["cpu-hotplug"])
    assert "cpu-hotplug" not in set(compare(vcpus=1)["event"])


@pytest.mark.parametrize("name", ["generic", "per_feature"])
def test_the_pages_that_must_be_shared_are_those_an_encrypted_guest_shares(name):
    one = variant(name)
    run = simulate(Scenario(one.protocol(EVERYTHING), EVERYTHING, vcpus=5), EVENTS["encrypted"])
    assert guest_memory_use(run.scenario, run.machine).shared_pages == run.machine.memory.shared_pages == 6
