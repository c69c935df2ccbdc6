"""generic, one test or more per clause: R14, R19 and R20, who revokes, and what is under way meanwhile."""

import pytest

from workbench.core.driver import host_side
from workbench.core.host_state import VM, registry
from workbench.core.outcome import ACCEPTED, HANDLED
from workbench.core.steps import Quiesce, Set
from workbench.engines.simulate.by_hand import RAM_END
from workbench.protocols import Generic
from workbench.protocols.generic import (
    KVM_MEMORY_AREA,
    OK,
    TYPES,
)

from .bench import bench_of
from .generic_calls import (
    HOLE,
    MSR,
    UNKNOWN_TYPE,
    call,
    host_steps,
)


@pytest.fixture
def bench():
    return bench_of(Generic)


# -- R14: revocation -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TYPES)
def test_generic_R14_size_zero_revokes_the_type(bench, name):
    bench.register(name, 0x3000)
    assert bench.unregister(name, 0x3000) is ACCEPTED
    assert bench.machine.host_entries("registry") == bench.machine.host_entries("area") == {}
    bench.memory.dirty_log(0)
    bench.enter()
    assert bench.memory.dirty_log(0) == []


def test_generic_R14_size_zero_revokes_that_type_alone(bench):
    bench.register("steal_time", 0x3000)
    bench.register("kvmclock", 0x4000)
    bench.unregister("steal_time", 0x3000)
    assert (bench.serves("steal_time"), bench.serves("kvmclock")) == (None, 0x4000)
    assert bench.machine.entries[registry(0, "types")] == (TYPES["kvmclock"],)


def test_generic_R14_the_base_of_a_revocation_does_not_matter(bench):
    bench.register("steal_time", 0x3000)
    assert call(bench, HOLE, 0, TYPES["steal_time"]) == (HANDLED, OK)
    assert bench.serves("steal_time") is None


@pytest.mark.parametrize(("mitigations", "left"), [((), 0x3000), (("init-revokes",), None)])
def test_generic_R14_init_revokes_nothing_but_with_init_revokes(mitigations, left):
    """Mitigation init-revokes: INIT revokes the vCPU's areas."""
    bench = bench_of(Generic, mitigations=mitigations, vcpus=2)
    for cpu in (0, 1):
        bench.register("steal_time", 0x3000 + 0x1000 * cpu, cpu)
    bench.register("wall_clock", 0x5000)
    bench.init(1)
    assert bench.serves("steal_time", 1) == (0x4000 if left else None)
    assert bench.serves("steal_time", 0) == 0x3000, "another vCPU's"
    assert bench.serves("wall_clock", VM) == 0x5000, "the VM's"
    bench.init(0)
    assert bench.serves("steal_time", 0) == left


def test_generic_R14_mitigation_revoke_all():
    """Mitigation revoke-all: writing 0 to the register revokes everything, and a new kernel does so first."""
    bench = bench_of(Generic, mitigations=("revoke-all",), vcpus=2)
    for name in TYPES:
        bench.register(name, 0x3000 + 0x100 * TYPES[name])
    call(bench, 0x5000, 8, UNKNOWN_TYPE)
    bench.register("steal_time", 0x6000, cpu=1)
    bench.guest(bench.protocol.revoke_all(bench.machine.cpus[0]))
    assert {key.cpu for key in bench.machine.host_entries("area")} == {1}
    assert {key.cpu for key in bench.machine.host_entries("registry")} == {1}
    bench.guest(bench.protocol.revoke_all(bench.machine.cpus[1]), cpu=1)
    assert bench.machine.host_entries("area") == bench.machine.host_entries("registry") == {}


def test_generic_R14_without_the_mitigation_zero_is_an_address_like_any_other(bench):
    bench.register("steal_time", 0x3000)
    bench.guest(bench.protocol.revoke_all(bench.machine.cpus[0]))
    assert bench.counts["wrmsr_exits"] == 1, "the guest does not even try"
    assert bench.wrmsr(MSR, 0) is HANDLED
    assert bench.serves("steal_time") == 0x3000


# -- R19, R20: one vCPU revokes for others -----------------------------------------------------------------


def two_vcpus(*mitigations):
    """Two vCPUs that have registered every feature, and one unknown type."""
    bench = bench_of(Generic, mitigations=mitigations, vcpus=2)
    for cpu in (0, 1):
        for name in TYPES:
            bench.register(name, 0x3000 + 0x1000 * cpu + 0x100 * TYPES[name], cpu)
    call(bench, 0x5000, 8, UNKNOWN_TYPE, cpu=1)
    return bench


def test_generic_R19_mitigation_revoke_vm():
    """Mitigation revoke-vm: one write of 1, by whichever vCPU, revokes all areas of all vCPUs and of the VM."""
    for caller in (0, 1):
        bench = two_vcpus("revoke-vm")
        assert {key.cpu for key in bench.machine.host_entries("registry")} == {VM, 0, 1}
        before = bench.counts["exits"]
        bench.guest(bench.protocol.revoke_everything(bench.machine.cpus[caller]), caller)
        assert bench.counts["exits"] == before + 1
        assert bench.machine.host_entries("area") == bench.machine.host_entries("registry") == {}
        assert bench.wrmsr(MSR, 1, caller) is HANDLED, "also where there is nothing to revoke"
        assert bench.register("steal_time", 0x6000, caller) is ACCEPTED, "and afterwards it goes on"


def test_generic_R19_writes_nothing_where_it_has_revoked():
    bench = two_vcpus("revoke-vm")
    bench.guest(bench.protocol.revoke_everything(bench.machine.cpus[0]))
    before = bench.memory.load(0, RAM_END)
    for cpu in (0, 1):
        bench.enter(cpu)
    assert bench.memory.load(0, RAM_END) == before


@pytest.mark.parametrize("mitigations", [(), ("revoke-all",), ("quiesce",)])
def test_generic_R19_without_the_mitigation_one_is_an_address_like_any_other(mitigations):
    bench = two_vcpus(*mitigations)
    assert bench.protocol.revokes_everything is False
    before = dict(bench.machine.entries)
    bench.guest(bench.protocol.revoke_everything(bench.machine.cpus[0]))
    assert bench.machine.entries == before, "the guest does not even try"
    bench.memory.store(1, KVM_MEMORY_AREA(base=0x6000, size=64, type=TYPES["steal_time"]).pack())
    assert bench.wrmsr(MSR, 1) is HANDLED
    assert bench.serves("steal_time") == 0x6000


def test_generic_R19_revoking_ones_own_and_everybodys_are_two_values():
    bench = two_vcpus("revoke-all", "revoke-vm")
    bench.guest(bench.protocol.revoke_all(bench.machine.cpus[1]), cpu=1)
    assert {key.cpu for key in bench.machine.host_entries("area")} == {VM, 0}
    bench.guest(bench.protocol.revoke_everything(bench.machine.cpus[1]), cpu=1)
    assert bench.machine.host_entries("area") == {}


def handled(bench, value, cpu=0):
    """Return the steps of the host's handler that access the host's state or wait, in order."""
    steps = host_steps(bench, host_side(bench.protocol.on_wrmsr(bench.machine.cpus[cpu], MSR, value)))
    return [step for _, step in steps if type(step) in (Set, Quiesce)]


def test_generic_R20_mitigation_quiesce():
    """Mitigation quiesce: the host waits once, after it has removed all revoked areas from its state."""
    steps = handled(two_vcpus("revoke-vm", "quiesce"), 1)
    assert [type(step) for step in steps].count(Quiesce) == 1
    assert type(steps[-1]) is Quiesce
    assert not any(type(step) is Quiesce for step in handled(two_vcpus("revoke-vm"), 1))


@pytest.mark.parametrize(("cpu", "waits"), [(0, 1), (1, 0)])
def test_generic_R20_only_a_revocation_for_others_waits(cpu, waits):
    """vCPU 0 revokes the VM's areas with its own (R14)."""
    steps = handled(two_vcpus("revoke-all", "quiesce"), 0, cpu)
    assert [type(step) for step in steps].count(Quiesce) == waits


@pytest.mark.parametrize(
    ("name", "base", "size", "waits"),
    [
        ("wall_clock", 0x6000, 0, 1),  # the VM's is revoked
        ("wall_clock", 0x6000, 12, 1),  # the VM's is moved
        ("steal_time", 0x6000, 0, 0),  # the vCPU's own
        ("steal_time", 0x6000, 64, 0),
    ],
)
def test_generic_R20_what_the_vm_gives_up_is_waited_for(name, base, size, waits):
    bench = two_vcpus("quiesce")
    before = bench.counts["quiesces"]
    assert call(bench, base, size, TYPES[name]) == (HANDLED, OK)
    assert bench.counts["quiesces"] == before + waits


def test_generic_R20_a_first_registration_waits_for_nobody():
    bench = bench_of(Generic, mitigations=("quiesce",))
    bench.register("wall_clock", 0x3000)
    assert bench.counts["quiesces"] == 0
