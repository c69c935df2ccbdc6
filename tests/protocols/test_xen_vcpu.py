"""xen_vcpu, clause by clause: areas that another vCPU can register, and one that is never given back."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.core.scenario import Scenario
from workbench.design import ACCEPTED, PAGE_SIZE, REFUSED, registry
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.protocols.xen_vcpu import (
    AREA,
    EBUSY,
    EFAULT,
    EINVAL,
    ENOENT,
    ENOSYS,
    ENXIO,
    OFF,
    OPERATIONS,
    SCHED_OP,
    VCPU_OP,
    XenVcpu,
)

PLACES = {"vcpu_info": 0x1_0000, "runstate": 0x2_0000, "vcpu_time": 0x3_0000}
ARGUMENT = 0x5000


@pytest.fixture
def machine():
    return bench(XenVcpu, vcpus=2)


def with_all(machine, cpu=0):
    assert [machine.register(name, gpa, cpu) for name, gpa in PLACES.items()] == [ACCEPTED] * 3
    return machine


def vcpu_op(machine, operation, p, target=0, offset=0, cpu=0):
    machine.memory.store(ARGUMENT, AREA(p=p, offset=offset).pack())
    return machine.hypercall(VCPU_OP, operation, target, ARGUMENT, cpu=cpu)


@pytest.mark.parametrize("name", OPERATIONS)
def test_R1_one_exit_for_each_area(machine, name):
    machine.register(name, PLACES[name])
    assert machine.serves(name) == PLACES[name]
    assert machine.counts["exits"] == 1
    assert vcpu_op(machine, 99, 0) == ENOSYS


def test_R2_the_address_is_in_memory_as_page_and_offset_or_whole(machine):
    assert vcpu_op(machine, 10, 0x10, offset=64) == 0
    assert machine.serves("vcpu_info") == 0x1_0040
    assert vcpu_op(machine, 14, 0x2_0040) == 0
    assert machine.serves("runstate") == 0x2_0040
    assert machine.hypercall(VCPU_OP, 14, 0, 1 << 40) == EFAULT
    assert "double-fetch" not in failing(XenVcpu, "descriptor-race", ["runstate"])


@pytest.mark.parametrize(("gpa", "error"), [(0x2_0004, ENXIO), (3 * PAGE_SIZE - 8, ENXIO), (1 << 40, EINVAL)])
def test_R3_what_crosses_is_unaligned_or_no_ram_is_refused(machine, gpa, error):
    assert vcpu_op(machine, 14, gpa) == error
    assert machine.machine.entries == {}


def test_R4_vcpu_info_is_registered_once_and_never_revoked(machine):
    with_all(machine)
    assert vcpu_op(machine, 10, 0x11) == EBUSY
    assert machine.unregister("vcpu_info", PLACES["vcpu_info"]) is REFUSED
    assert machine.serves("vcpu_info") == PLACES["vcpu_info"]
    assert "stray-write" in failing(XenVcpu, "kexec-no-teardown", ["vcpu_info"])


@pytest.mark.parametrize("name", ["runstate", "vcpu_time"])
def test_R5_all_ones_revokes_the_others_and_a_second_address_replaces(machine, name):
    with_all(machine)
    assert machine.register(name, 0x4_0000) is ACCEPTED
    assert machine.serves(name) == 0x4_0000
    assert vcpu_op(machine, OPERATIONS[name], OFF) == 0
    assert machine.serves(name) is None


def test_R6_any_vcpu_registers_for_any_other(machine):
    assert vcpu_op(machine, 14, 0x2_0000, target=1, cpu=0) == 0
    assert machine.serves("runstate", 1) == 0x2_0000
    assert vcpu_op(machine, 14, 0x2_0000, target=2) == vcpu_op(machine, 99, 0, target=2) == ENOENT
    assert failing(XenVcpu, "registered-for-another", ["runstate"], 2) == set()


def test_R7_registering_writes_at_once(machine):
    with_all(machine)
    assert machine.number(PLACES["vcpu_info"], 1) == 1
    assert machine.number(PLACES["vcpu_time"]) == 2
    assert machine.number(PLACES["runstate"] + 8) > 0


def test_R7_the_run_states_of_another_vcpu_are_written_at_its_next_entry(machine):
    assert (
        vcpu_op(machine, 14, PLACES["runstate"], target=1) == vcpu_op(machine, 15, PLACES["vcpu_time"], target=1) == 0
    )
    assert machine.number(PLACES["vcpu_time"]) == 2
    assert machine.number(PLACES["runstate"] + 8) == 0
    machine.enter(1)
    assert machine.number(PLACES["runstate"] + 8) > 0


def test_R8_areas_may_overlap(machine):
    assert vcpu_op(machine, 14, 0x2_0000) == vcpu_op(machine, 15, 0x2_0008) == 0


def test_R9_a_reset_of_the_vcpu_leaves_all_and_R10_a_soft_reset_takes_all(machine):
    with_all(machine)
    machine.init()
    assert machine.serves("runstate") == PLACES["runstate"]
    machine.hypercall(SCHED_OP, 2, 4)
    assert machine.serves("runstate") == PLACES["runstate"]
    machine.guest(machine.protocol.revoke_everything(machine.machine.cpus[0]))
    assert [machine.serves(name) for name in PLACES] == [None] * 3
    assert failing(XenVcpu, "kexec", ["vcpu_info"]) == set()


def test_R11_nothing_carries_the_areas_unless_kvm_is_in_xens_place():
    for mitigations, fate in (((), "lost"), (("carry-areas",), "registered")):
        features = choose(XenVcpu.own_features)
        found = simulate(Scenario(XenVcpu(features, mitigations), features), EVENTS["migrate"])
        assert {one.value for one in found.fates.values()} == {fate}
    carried = bench(XenVcpu, mitigations=("carry-areas",))
    assert sum(entry.wire_bytes for entry in with_all(carried).state()) == 24


def test_R12_restoring_does_not_write():
    machine = with_all(bench(XenVcpu, mitigations=("carry-areas",)))
    machine.memory.store(PLACES["vcpu_info"], b"\0")
    machine.migrate()
    assert machine.number(PLACES["vcpu_info"], 1) == 0
    assert machine.machine.entries[registry(0, "vcpu_info")] == PLACES["vcpu_info"]
