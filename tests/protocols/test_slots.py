"""The table of typed slots, clause by clause, under every design that has it."""

import pytest

from tests.protocols.designs import DESIGNS, bench, failing
from workbench.design import ACCEPTED, REFUSED, VM, Feature, Quiesce, area, struct
from workbench.features import FEATURES
from workbench.measure.variants import Variant
from workbench.present.trial import Trial
from workbench.protocols._slots import MITIGATIONS, SLOT_COUNT, SLOTS, Slots

SLOTTED = [kind for kind in DESIGNS.values() if issubclass(kind, Slots)]
PLACES = {name: 0x1_0000 + 0x1000 * number for number, name in enumerate(FEATURES)}
each_design = pytest.mark.parametrize("kind", SLOTTED, ids=lambda kind: kind.name)


class Mood(Feature):
    """A type that KVM does not have."""

    name, title, size = "mood", "mood", 8
    payload = struct("struct mood { __u64 mood; };")


class Large(Mood):
    """A type that needs two pages."""

    name, size = "large", 8192


def with_all(kind, **more):
    machine = bench(kind, vcpus=2, **more)
    for name, gpa in PLACES.items():
        assert machine.register(name, gpa) is ACCEPTED
    return machine


@each_design
def test_T1_the_binding_is_fixed_and_a_new_type_takes_the_next_slot(kind):
    alone = kind((FEATURES["steal_time"], Mood(), Large()))
    assert alone.slot_of["steal_time"] == SLOTS.index("steal_time")
    assert alone.slot_of["mood"] == len(SLOTS)
    machine = bench(kind, features=[Mood(), Large()])
    assert machine.register("mood", 0x1_0000) is ACCEPTED
    assert machine.serves("mood") == 0x1_0000
    assert not machine.protocol.supports(Large())


@each_design
def test_T1_there_are_16_slots(kind):
    several = [type(f"Mood{n}", (Mood,), {"name": f"mood{n}"})() for n in range(SLOT_COUNT)]
    supported = [one.name for one in several if kind(several).supports(one)]
    assert supported == [f"mood{n}" for n in range(SLOT_COUNT - len(SLOTS))]


@pytest.mark.parametrize(
    ("name", "gpa"),
    [
        ("steal_time", 0x1_0020), ("kvmclock", 0x1_0002), ("kvmclock", 0x1_0FF0),
        ("steal_time", 1 << 40), ("wall_clock", 1 << 40),
    ],
)  # fmt: skip
@each_design
def test_T2_unaligned_across_a_page_or_no_ram_is_refused_and_changes_nothing(kind, name, gpa):
    machine = with_all(kind)
    before = {key: machine.machine.entries[key] for key in machine.machine.entries if key.name == name}
    assert machine.register(name, gpa) is REFUSED
    assert {key: machine.machine.entries[key] for key in machine.machine.entries if key.name == name} == before


@each_design
def test_T3_each_area_is_its_vcpus_or_the_vms_and_a_second_replaces_the_first(kind):
    machine = with_all(kind)
    assert machine.register("steal_time", 0x4_0000, cpu=1) is ACCEPTED
    assert machine.serves("steal_time", 0) == PLACES["steal_time"]
    assert machine.serves("steal_time", 1) == 0x4_0000
    assert machine.register("steal_time", 0x5_0000) is ACCEPTED
    assert machine.serves("steal_time", 0) == 0x5_0000
    assert machine.machine.entries[area(VM, "wall_clock")] == PLACES["wall_clock"]
    assert machine.number(PLACES["wall_clock"] + 4)  # written at once


@each_design
def test_T3_revoking_empties_the_slot(kind):
    machine = with_all(kind)
    for name, gpa in PLACES.items():
        assert machine.unregister(name, gpa) is ACCEPTED
        assert machine.serves(name) is None
    assert [key for key in machine.machine.entries if key.name in SLOTS and key.kind == "registry"] == []


@each_design
def test_T4_what_the_vmm_serves_is_passed_on(kind):
    machine = bench(kind)
    for name, exits in (("steal_time", 0), ("watchdog", 1), ("migration_control", 1)):
        before = machine.counts["user_exits"]
        machine.register(name, PLACES[name])
        assert machine.counts["user_exits"] - before == exits


@each_design
def test_T5_init_empties_the_slots_of_its_vcpu_alone(kind):
    machine = with_all(kind)
    machine.register("steal_time", 0x4_0000, cpu=1)
    machine.init(0)
    assert machine.serves("steal_time", 0) is machine.serves("kvmclock", 0) is None
    assert machine.serves("steal_time", 1) == 0x4_0000
    assert machine.serves("wall_clock") == PLACES["wall_clock"]


@each_design
def test_T6_a_restore_gives_the_same_and_writes_nothing(kind):
    machine = with_all(kind)
    before = {key: value for key, value in machine.machine.entries.items() if key.kind == "area"}
    version = machine.number(PLACES["wall_clock"])
    machine.migrate()
    assert {key: value for key, value in machine.machine.entries.items() if key.kind == "area"} == before
    assert machine.number(PLACES["wall_clock"]) == version
    assert failing(kind, "migrate", ["steal_time", "wall_clock"]) == set()


@each_design
def test_T6_the_restore_checks_as_the_call_does_and_goes_on(kind):
    machine = with_all(kind)
    saved = machine.host(machine.protocol.save(tuple(machine.machine.cpus.values())))
    damaged = tuple((*one[:2], 1 << 40) if "steal_time" in one else one for one in saved)
    machine.machine.entries.clear()
    machine.host(machine.protocol.restore(tuple(machine.machine.cpus.values()), damaged))
    assert machine.serves("steal_time") is None
    assert machine.serves("watchdog") == PLACES["watchdog"]


@each_design
def test_T7_overlap_is_refused_with_the_mitigation_alone(kind):
    assert "overlapping-areas" in failing(kind, "overlap", ["kvmclock", "steal_time"])
    assert "overlapping-areas" not in failing(kind, "overlap", ["kvmclock", "steal_time"], 1, ["refuse-overlap"])
    machine = with_all(kind, mitigations=["refuse-overlap"])
    assert machine.register("steal_time", PLACES["steal_time"]) is ACCEPTED
    assert machine.register("pv_eoi", PLACES["wall_clock"] + 8) is REFUSED
    assert machine.register("pv_eoi", PLACES["wall_clock"] + 12) is ACCEPTED


@each_design
def test_T8_one_call_empties_the_slots_of_all_with_the_mitigation_alone(kind):
    assert "stray-write" in failing(kind, "kexec-no-teardown", ["steal_time"])
    assert failing(kind, "kexec-no-teardown", ["steal_time"], 1, ["revoke-vm"]) == {"stray-write"}  # before the call
    assert failing(kind, "crash", ["steal_time"], 2, ["revoke-vm"]) == set()
    machine = with_all(kind, mitigations=["revoke-vm"])
    machine.register("steal_time", 0x4_0000, cpu=1)
    machine.guest(machine.protocol.revoke_everything(machine.machine.cpus[0]))
    assert [key for key in machine.machine.entries if key.name in SLOTS and key.kind in ("area", "registry")] == []
    plain = with_all(kind)
    plain.guest(plain.protocol.revoke_everything(plain.machine.cpus[0]))
    assert plain.serves("steal_time") == PLACES["steal_time"]


@each_design
def test_T9_a_revocation_for_others_waits_only_with_the_mitigation(kind):
    assert set(MITIGATIONS) <= set(kind.mitigations_known)
    for mitigations, waits in (((), False), (("quiesce",), True)):
        trial = Trial(Variant.of(kind, mitigations), ["steal_time", "wall_clock"])
        for name, needed in (("steal_time", False), ("wall_clock", waits)):
            trial.register(name, PLACES[name])
            moved = trial.register(name, 0x5_0000)
            assert any(type(taken.step) is Quiesce for taken in moved.steps) is needed


@pytest.mark.slow
@each_design
def test_T9_no_update_comes_after_a_revocation_for_all(kind):
    assert "stray-write" in failing(kind, "kexec", ["steal_time"], 2, ["revoke-vm"])
    assert failing(kind, "kexec", ["steal_time"], 2, ["revoke-vm", "quiesce"]) == set()


@each_design
def test_the_state_is_one_address_for_each_slot(kind):
    state = with_all(kind).state()
    assert {entry.name.removeprefix("area ") for entry in state} >= set(PLACES)
    assert all(entry.wire_bytes == 8 and entry.carried for entry in state)
