"""hyperv, clause by clause: synthetic registers and the pages that they lay over the guest's."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.core.scenario import Scenario
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, VM, area, register
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.protocols.hyperv import (
    GUEST_OS_ID,
    HYPERCALL,
    LINUX,
    LOCKED,
    REFERENCE_TSC,
    REGISTERS,
    SIEFP,
    SIMP,
    HyperV,
)

PAGE, OTHER, NOWHERE = 0x1_0000, 0x2_0000, 1 << 40


@pytest.fixture
def machine():
    return prepared()


def prepared(**more):
    made = bench(HyperV, vcpus=2, **more)
    made.wrmsr(GUEST_OS_ID, LINUX)
    return made


@pytest.mark.parametrize("name", REGISTERS)
def test_R1_each_page_has_a_register_that_is_read_and_written(machine, name):
    """R2: two exits."""
    exits = machine.counts["exits"]
    assert machine.register(name, PAGE) is ACCEPTED
    assert machine.counts["exits"] == exits + 2
    assert machine.serves(name) == PAGE
    assert machine.rdmsr(REGISTERS[name]) == PAGE | 1
    assert machine.unregister(name, PAGE) is ACCEPTED
    assert machine.serves(name) is None


def test_R3_without_an_identity_the_hypercall_page_is_silently_not_there(machine):
    silent = bench(HyperV)
    assert silent.register("hypercall_page", PAGE) is ACCEPTED
    assert silent.serves("hypercall_page") is None
    machine.register("hypercall_page", PAGE)
    machine.wrmsr(GUEST_OS_ID, 0)
    assert machine.serves("hypercall_page") is None
    assert machine.rdmsr(HYPERCALL) == PAGE


def test_R4_the_lock_keeps_the_hypercall_page(machine):
    machine.wrmsr(HYPERCALL, PAGE | LOCKED | 1)
    assert machine.wrmsr(HYPERCALL, 0) is HANDLED
    assert machine.serves("hypercall_page") == PAGE


def test_R5_what_lay_under_a_page_comes_back(machine):
    machine.memory.store(PAGE, b"guest")
    machine.wrmsr(SIMP, PAGE | 1)
    assert machine.memory.load(PAGE, 5) == bytes(5)
    machine.wrmsr(SIMP, OTHER | 1)
    assert machine.memory.load(PAGE, 5) == b"guest"


def test_R6_two_pages_at_one_address_are_allowed_unless_it_is_refused(machine):
    machine.wrmsr(SIMP, PAGE | 1)
    assert machine.wrmsr(SIEFP, PAGE | 1) is HANDLED
    machine.wrmsr(SIMP, 0)
    machine.memory.store(PAGE, b"x")
    machine.wrmsr(SIEFP, 0)
    assert machine.memory.load(PAGE, 1) == b"\0"
    strict = prepared(mitigations=("refuse-stacking",))
    strict.wrmsr(SIMP, PAGE | 1)
    assert strict.wrmsr(SIEFP, PAGE | 1) is FAULT


@pytest.mark.parametrize(("msr", "outcome"), [(SIMP, FAULT), (HYPERCALL, FAULT), (REFERENCE_TSC, HANDLED)])
def test_R7_an_address_without_ram_is_refused_by_all_but_the_reference_tsc(machine, msr, outcome):
    before = dict(machine.machine.entries)
    assert machine.wrmsr(msr, NOWHERE | 1) is outcome
    assert (machine.machine.entries == before) == (outcome is FAULT)
    assert prepared(mitigations=("fault-like-hypercall",)).wrmsr(msr, NOWHERE | 1) is FAULT


def test_R8_code_and_scale_are_there_at_once(machine):
    machine.register("hypercall_page", PAGE)
    machine.register("reference_tsc", OTHER)
    assert machine.memory.load(PAGE, 3) == b"\x0f\x01\xc1"
    assert machine.number(OTHER) == 1


def test_R9_a_reset_clears_the_vcpus_registers_and_leaves_the_vms(machine):
    machine.register("simp", PAGE)
    machine.register("reference_tsc", OTHER)
    machine.init()
    assert machine.serves("simp") is None
    assert machine.serves("reference_tsc") == OTHER


def test_R10_only_the_boot_cpu_clears_the_vms_pages_and_a_crash_leaves_those_of_other_cpus(machine):
    machine.register("reference_tsc", PAGE)
    assert machine.unregister("reference_tsc", PAGE, 1) is REFUSED
    assert machine.serves("reference_tsc") == PAGE
    assert failing(HyperV, "kexec", ["simp", "reference_tsc"]) == set()
    assert "unknown-to-guest" in failing(HyperV, "crash", ["simp"], 2)


def test_R11_registers_are_carried_the_identity_first(machine):
    machine.register("hypercall_page", PAGE)
    saved = machine.migrate()
    assert saved[0][1] == GUEST_OS_ID
    assert machine.machine.entries[register(VM, HYPERCALL)] == PAGE | 1
    assert {(entry.interface, entry.entry_bytes) for entry in machine.state()} == {("KVM_SET_MSRS", 16)}


@pytest.mark.parametrize(("mitigations", "arrives"), [((), False), (("carry-pages",), True)])
def test_R12_a_restored_page_is_empty_unless_it_is_carried(mitigations, arrives):
    features = choose(["simp"])
    here = Scenario(HyperV(features, mitigations), features)
    found = simulate(here, EVENTS["migrate"])
    assert area(0, "simp") in found.machine.entries
    machine = prepared(mitigations=mitigations)
    machine.register("simp", PAGE)
    machine.update("simp", PAGE)
    saved = machine.host(machine.protocol.save(tuple(machine.machine.cpus.values())))
    machine.memory.uncover(PAGE)
    machine.machine.entries.clear()
    machine.host(machine.protocol.restore(tuple(machine.machine.cpus.values()), saved))
    assert (machine.number(PAGE) == 1) == arrives
