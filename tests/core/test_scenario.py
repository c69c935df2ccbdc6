"""The scenario of a protocol, features and vCPUs: addresses, records, owners, and the guest's beliefs.

The fate of an area is tested with the lifecycle (test_fate_of.py).
"""

from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest

from workbench.clayout.layout import Abi
from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.driver import guest_side
from workbench.core.host_state import VM, area
from workbench.core.machine import Machine
from workbench.core.outcome import ACCEPTED, REFUSED, SEVERITY, Fate, worst
from workbench.core.scenario import Scenario, asked, beliefs, believes, refused_at
from workbench.core.vcpu import KVM_SUPPORTED, Host
from workbench.features import FEATURES, choose
from workbench.protocols import Generic, Null, PerFeature

ALL = choose()


def test_a_vcpu_has_its_descriptor_where_its_kernel_keeps_it():
    scenario = Scenario(Generic(ALL), ALL, vcpus=2)
    for generation in (0, 1):
        for index in (0, 1):
            gpa = scenario.addresses.gpa(Unit(generation, index, DESCRIPTOR))
            assert scenario.cpu(index, generation).descriptor == gpa
    assert Scenario(PerFeature(ALL), ALL).cpu(0).descriptor == 0, "no descriptor, no place for one"


def test_a_protocol_without_descriptors_has_no_place_set_aside_for_them():
    addresses = Scenario(PerFeature(ALL), ALL).addresses
    assert DESCRIPTOR not in {unit.what for unit in addresses.units(0, 0)}


def test_a_scenario_is_a_value():
    protocol = Generic(ALL)
    assert Scenario(protocol, ALL) == Scenario(protocol, ALL)
    assert hash(Scenario(protocol, ALL)) == hash(Scenario(protocol, ALL))
    assert Scenario(protocol, ALL) != Scenario(protocol, ALL, vcpus=2)
    with pytest.raises(FrozenInstanceError):
        Scenario(protocol, ALL).vcpus = 2


def test_the_descriptor_has_the_size_of_the_guests_abi():
    sizes = {abi: Scenario(Generic(ALL), ALL, abi=abi).addresses.size(DESCRIPTOR) for abi in Abi}
    assert sizes == {Abi.X86_64: 24, Abi.I386: 20}


def test_the_record_says_host_abi_and_cpuid():
    host = Host(irqchip=False)
    scenario = Scenario(Null(ALL), ALL, vcpus=3, host=host, abi=Abi.I386)
    assert [(cpu.index, cpu.abi, cpu.host, cpu.cpuid) for cpu in scenario.cpus] == [
        (index, Abi.I386, host, KVM_SUPPORTED) for index in range(3)
    ]
    assert Scenario(Null(ALL), ALL, cpuid=frozenset({5})).cpu(0).cpuid == {5}


def test_no_area_is_set_aside_for_what_the_protocol_cannot_express():
    scenario = Scenario(PerFeature(ALL), ALL)
    assert {feature.name for feature in ALL} - {f.name for f in scenario.supported()} == {"watchdog"}
    with pytest.raises(KeyError):
        scenario.addresses.size("watchdog")


def test_owners_are_all_vcpus_or_the_vm():
    scenario = Scenario(Null(ALL), ALL, vcpus=3)
    assert tuple(scenario.owners(FEATURES["kvmclock"])) == (0, 1, 2)
    assert tuple(scenario.owners(FEATURES["wall_clock"])) == (VM,)


def run(scenario, program, machine=None):
    """Run a guest program on vCPU 0; return its answer and the machine."""
    if machine is None:
        machine = Machine(scenario.cpus)
        machine.memory.add(scenario.addresses.memslot(0), scenario.addresses.memslot_size)
    return machine.run(0, guest_side(scenario.protocol, program)), machine


@pytest.mark.parametrize("kind", [Generic, PerFeature])
def test_enrolling_prepares_the_area_registers_it_and_notes_the_belief(kind):
    scenario = Scenario(kind(ALL), ALL)
    steal = FEATURES["steal_time"]
    gpa = scenario.addresses.gpa(Unit(0, 0, "steal_time"))
    machine = Machine(scenario.cpus)
    machine.memory.add(scenario.addresses.memslot(0), scenario.addresses.memslot_size)
    machine.memory.store(gpa, b"\xaa" * 64)
    answer, _ = run(scenario, scenario.enrol(scenario.cpu(0), steal, 0), machine)
    assert answer is ACCEPTED
    assert machine.memory.load(gpa, 64) == bytes(64), "the guest zeroes it first"
    assert machine.notes == {asked(0, "steal_time"): ACCEPTED, believes(0, "steal_time"): gpa}
    assert machine.entries[area(0, "steal_time")] == gpa


def test_a_guest_that_is_refused_believes_nothing_new():
    scenario = Scenario(Null(ALL), ALL)
    answer, machine = run(scenario, scenario.enrol(scenario.cpu(0), FEATURES["kvmclock"], 0))
    assert answer is REFUSED
    where = scenario.addresses.gpa(scenario.addresses.area(0, 0, FEATURES["kvmclock"]))
    assert machine.notes == {asked(0, "kvmclock"): REFUSED, refused_at(0, "kvmclock"): where}
    assert beliefs(machine.notes) == {}


@pytest.mark.parametrize("kind", [Generic, PerFeature])
def test_revoking_takes_the_area_and_the_belief_back(kind):
    scenario = Scenario(kind(ALL), ALL)
    cpu, clock = scenario.cpu(0), FEATURES["kvmclock"]
    _, machine = run(scenario, scenario.enrol(cpu, clock, 0))
    run(scenario, scenario.revoke(cpu, clock, 0), machine)
    assert beliefs(machine.notes) == {}
    assert machine.host_entries("area") == {}


def test_an_area_may_be_enrolled_elsewhere_and_then_is_not_prepared():
    scenario = Scenario(PerFeature(ALL), ALL)
    answer, machine = run(scenario, scenario.enrol(scenario.cpu(0), FEATURES["steal_time"], 0, 0xF000_0040))
    assert answer is ACCEPTED
    assert machine.counts["exits"] == 1, "no access to memory, which is not there"
    assert beliefs(machine.notes) == {(0, "steal_time"): 0xF000_0040}


def test_beliefs_are_distinguished_from_other_notes():
    notes = {believes(0, "kvmclock"): 64, asked(0, "kvmclock"): ACCEPTED, "other": 1}
    assert beliefs(notes) == {(0, "kvmclock"): 64}


def test_the_fate_of_a_scenario_is_the_worst_of_its_areas():
    assert worst([]) is Fate.RELEASED
    assert worst(list(SEVERITY)) is Fate.ENDED
    for better, other in pairwise(SEVERITY):
        assert worst([other, better]) is worst([better, other]) is other
