"""generic, one test or more per clause: what the 2011 patch and its review say, what they leave open, mitigations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clayout.layout import Abi
from workbench.core.driver import host_side
from workbench.core.host_state import VM, registry
from workbench.core.memory import GPA_LIMIT
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, UNKNOWN
from workbench.core.relay import driven, relayed
from workbench.core.steps import KERNEL, USER, Load, Quiesce, Set, Store, ToUser, Wrmsr
from workbench.core.vcpu import Host, Vcpu
from workbench.engines.simulate.by_hand import RAM_END, SCRATCH
from workbench.features import FEATURES
from workbench.protocols import Generic
from workbench.protocols.generic import (
    EBUSY,
    EFAULT,
    EINVAL,
    ENOSPC,
    KVM_MEMORY_AREA,
    MSR_KVM_REGISTER_MEM_AREA,
    OK,
    PENDING,
    REGISTRY_LIMIT,
    RESULT,
    TYPES,
    type_number,
)

from .bench import bench_of

MSR = 0x4B56_4D03
HOLE = 0x30_0000
KERNEL_SERVED = [name for name in TYPES if FEATURES[name].served_by == "kernel"]
USER_SERVED = [name for name in TYPES if FEATURES[name].served_by == "user"]
UNKNOWN_TYPE = 0x1234


@pytest.fixture
def bench():
    return bench_of(Generic)


def owner_of(name):
    return VM if FEATURES[name].scope == "vm" else 0


def call(bench, base, size, kind, *, at=SCRATCH, cpu=0, abi=Abi.X86_64):
    """Register like a guest that checks nothing; return the outcome and result."""
    bench.memory.store(at, KVM_MEMORY_AREA.on(abi)(base=base, size=size, type=kind, result=0xEE).pack())
    outcome = bench.wrmsr(MSR, at, cpu)
    return outcome, bench.number(at + RESULT, 1)


def host_steps(bench, program):
    """Run a guest program, return the (side, step) that its handlers performed."""
    seen = []

    def listening(step):
        seen.append(step)
        return (yield step)

    bench.machine.run(0, relayed(program, listening))
    return [step for step in seen if step[0] in (KERNEL, USER)]


def serve(bench, value=SCRATCH):
    """Return the steps of the host's handler for a write of ``value``."""
    return host_steps(bench, host_side(bench.protocol.on_wrmsr(bench.machine.cpus[0], MSR, value)))


def guest_steps(bench, name, gpa=0x3000):
    """Return what the guest's registration yields when everything answers 0 or HANDLED."""
    steps = []

    def answered(step):
        steps.append(step)
        return HANDLED if isinstance(step, Wrmsr) else 0

    driven(bench.protocol.register(bench.machine.cpus[0], FEATURES[name], gpa), answered)
    return steps


# -- R1 to R5: the five steps of the review --------------------------------------------------------------


def test_generic_R1_the_register_and_its_value():
    assert Generic.msrs == {MSR_KVM_REGISTER_MEM_AREA} == {0x4B56_4D03}
    bench = bench_of(Generic)
    bench.register("steal_time", 0x3000)
    (exit_step,) = [s for s in guest_steps(bench, "steal_time") if isinstance(s, Wrmsr)]
    assert exit_step == Wrmsr(MSR, SCRATCH), "the value is the descriptor's gpa"


def test_r18_the_numbers_of_the_types_are_an_interface():
    """The type numbers must not change: an older guest would get another feature than the one it requests."""
    numbers = {"kvmclock": 1, "wall_clock": 2, "async_pf": 3, "pv_eoi": 4, "steal_time": 5}
    assert numbers | {"poll_control": 6, "migration_control": 7, "watchdog": 8} == TYPES


def test_r15_nobody_claims_a_read():
    """A read of the register is UNKNOWN, for the host too, and not FAULT, about which a VMM would complain."""
    protocol = Generic(tuple(FEATURES.values()))
    reading = protocol.on_rdmsr(Vcpu(0, SCRATCH), MSR, host_initiated=True)
    with pytest.raises(StopIteration) as ended:
        next(reading)
    assert ended.value.value is UNKNOWN


@pytest.mark.parametrize("name", TYPES)
def test_generic_R2_the_guest_fills_base_size_and_type_and_not_result(bench, name):
    store, _, _ = guest_steps(bench, name)
    assert store.gpa == SCRATCH
    assert len(store.value) == RESULT == KVM_MEMORY_AREA.on(Abi.X86_64).offset_of("result")
    area = KVM_MEMORY_AREA.on(Abi.X86_64).unpack(store.value + bytes(8))
    assert (area.base, area.size, area.type) == (0x3000, FEATURES[name].size, TYPES[name])


def test_generic_R2_so_a_result_left_from_before_stays_until_the_host_writes_it():
    swallowing = bench_of(Generic, host=Host(knows_protocol=False, ignore_msrs=True))
    swallowing.memory.store(SCRATCH + RESULT, b"\x77")
    assert swallowing.register("kvmclock", 0x3000) is REFUSED
    assert swallowing.number(SCRATCH + RESULT, 1) == 0x77


@pytest.mark.parametrize("name", TYPES)
def test_generic_R3_one_exit_for_each_area(bench, name):
    assert bench.register(name, 0x3000) is ACCEPTED
    assert bench.counts["exits"] == bench.counts["wrmsr_exits"] == 1
    assert (bench.counts["guest_stores"], bench.counts["guest_loads"]) == (1, 1)


@pytest.mark.parametrize("name", TYPES)
def test_generic_R4_the_memory_is_registered_before_result_is_written(bench, name):
    bench.memory.store(SCRATCH, KVM_MEMORY_AREA(base=0x3000, size=64, type=TYPES[name], result=1).pack())
    steps = [step for _, step in serve(bench)]
    assert steps[-1][:2] == (SCRATCH + RESULT, OK)
    assert isinstance(steps[-1], Store)
    sets = [index for index, step in enumerate(steps) if type(step).__name__ == "Set"]
    assert sets
    assert max(sets) < len(steps) - 1
    assert bench.serves(name, owner_of(name)) == 0x3000


@pytest.mark.parametrize(
    ("result", "answer"), [(OK, ACCEPTED), (EFAULT, REFUSED), (EINVAL, REFUSED), (PENDING, REFUSED)]
)
def test_generic_R5_the_guest_concludes_from_result(bench, result, answer):
    program = bench.protocol.register(bench.machine.cpus[0], FEATURES["kvmclock"], 0x3000)
    assert isinstance(next(program), Store)
    assert isinstance(program.send(True), Wrmsr)
    load = program.send(HANDLED)
    assert (load.gpa, load.what.size) == (SCRATCH + RESULT, 1)
    with pytest.raises(StopIteration) as end:
        program.send(result)
    assert end.value.value is answer


def test_generic_R5_a_fault_is_a_refusal_and_result_is_not_looked_at(bench):
    program = bench.protocol.register(bench.machine.cpus[0], FEATURES["kvmclock"], 0x3000)
    next(program)
    program.send(True)
    with pytest.raises(StopIteration) as end:
        program.send(FAULT)
    assert end.value.value is REFUSED


# -- R6 to R8: serving, visibility, writing ---------------------------------------------------------------


@pytest.mark.parametrize("name", USER_SERVED)
def test_generic_R6_what_the_kernel_does_not_serve_goes_to_user_space(bench, name):
    assert bench.register(name, 0x3000) is ACCEPTED
    assert (bench.counts["user_exits"], bench.counts["kernel_exits"]) == (1, 0)
    assert bench.memory.vmm_dirty() == [SCRATCH & ~0xFFF], "the VMM wrote the result"


def test_generic_R6_an_unknown_type_goes_to_user_space_too(bench):
    assert call(bench, 0x3000, 8, UNKNOWN_TYPE) == (HANDLED, OK)
    assert (bench.counts["user_exits"], bench.counts["kernel_exits"]) == (1, 0)
    assert bench.machine.entries[registry(0, UNKNOWN_TYPE)] == (0x3000, 8)


@pytest.mark.parametrize("name", KERNEL_SERVED)
def test_generic_R6_what_the_kernel_serves_stays_there(bench, name):
    assert bench.register(name, 0x3000) is ACCEPTED
    assert (bench.counts["user_exits"], bench.counts["kernel_exits"]) == (0, 1)
    assert bench.memory.vmm_dirty() == []


@pytest.mark.parametrize("cpl", [1, 2, 3])
def test_generic_R7_guest_user_space_cannot_register(bench, cpl):
    assert bench.register("steal_time", 0x3000, cpl=cpl) is REFUSED
    assert bench.counts["exits"] == 0
    assert bench.machine.entries == {}


def test_generic_R7_the_area_is_visible_to_guest_kernel_and_hypervisor(bench):
    bench.register("kvmclock", 0x3000)
    assert bench.guest(FEATURES["kvmclock"].read(0x3000)).version == 2
    assert bench.machine.peek(0x3000, 4, KERNEL) == b"\2\0\0\0"


def test_generic_R8_the_host_writes_at_once_and_at_any_time(bench):
    bench.register("kvmclock", 0x3000)
    bench.register("wall_clock", 0x3100)
    bench.register("steal_time", 0x3200)
    assert (bench.number(0x3000), bench.number(0x3100), bench.number(0x3208)) == (2, 2, 0)
    bench.enter()
    bench.enter()
    assert (bench.number(0x3000), bench.number(0x3100), bench.number(0x3208)) == (2, 2, 4)


# -- R9 to R13: what the patch leaves open ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "size", "result"), [(0x3000, 32, 0), (HOLE, 32, 14), (0x3000, 31, 22), ((1 << 64) - 16, 32, 14)]
)
def test_generic_R9_result_is_zero_or_an_errno(bench, base, size, result):
    assert call(bench, base, size, TYPES["kvmclock"]) == (HANDLED, result)
    assert (OK, EFAULT, EINVAL, EBUSY, ENOSPC) == (0, 14, 22, 16, 28)


def test_generic_R9_zero_is_also_a_result_that_was_never_written():
    """A result that was never written reads as success, so a write that no host serves looks like a registration."""
    bench = bench_of(Generic, host=Host(knows_protocol=False, ignore_msrs=True))
    assert bench.register("steal_time", 0x3000) is ACCEPTED
    assert bench.machine.entries == {}


@pytest.mark.parametrize("name", ["kvmclock", "watchdog"])
@pytest.mark.parametrize(("mitigations", "reads"), [((), 2), (("copy-once",), 1)])
def test_generic_R10_the_descriptor_is_read_twice_or_with_copy_once_once(name, mitigations, reads):
    """Mitigation copy-once: the host copies the descriptor once and uses only the copy."""
    bench = bench_of(Generic, mitigations=mitigations)
    bench.memory.store(SCRATCH, KVM_MEMORY_AREA(base=0x3000, size=32, type=TYPES[name]).pack())
    loads = [step for _, step in serve(bench) if isinstance(step, Load) and step.gpa == SCRATCH]
    assert len(loads) == reads


@pytest.mark.parametrize(("mitigations", "served"), [((), HOLE), (("copy-once",), 0x3000)])
def test_generic_R10_what_was_checked_need_not_be_what_is_served(mitigations, served):
    """Another vCPU changes base between the two reads, so the check of R12 is useless, unless the host copied."""
    bench = bench_of(Generic, mitigations=mitigations)
    bench.memory.store(SCRATCH, KVM_MEMORY_AREA(base=0x3000, size=64, type=TYPES["steal_time"]).pack())
    handler = bench.protocol.on_wrmsr(bench.machine.cpus[0], MSR, SCRATCH)
    raced = []

    def racing(step):
        answer = yield KERNEL, step
        if not raced and isinstance(step, Load):
            raced.append(step)
            bench.memory.store(SCRATCH, HOLE.to_bytes(8, "little"))
        return answer

    assert bench.machine.run(0, relayed(handler, racing)) is HANDLED
    assert bench.serves("steal_time") == served
    assert bench.number(SCRATCH + RESULT, 1) == OK


@pytest.mark.parametrize("at", [HOLE, RAM_END - 16, 1 << 52, (1 << 64) - 24, (1 << 64) - 1])
def test_generic_R11_a_descriptor_that_cannot_be_read_is_a_fault(bench, at):
    assert bench.wrmsr(MSR, at) is FAULT
    assert bench.machine.entries == {}


def test_generic_R11_a_private_descriptor_cannot_be_read():
    bench = bench_of(Generic, encrypted=True)
    bench.memory.share(0x3000, 64, shared=True)
    assert bench.register("steal_time", 0x3000) is REFUSED
    bench.memory.share(SCRATCH, 24, shared=True)
    assert bench.register("steal_time", 0x3000) is ACCEPTED


def test_generic_R11_a_descriptor_may_have_any_alignment(bench):
    assert call(bench, 0x3000, 32, TYPES["kvmclock"], at=SCRATCH + 3) == (HANDLED, OK)
    assert call(bench, 0x3000, 32, TYPES["kvmclock"], at=SCRATCH + 0xFF4) == (HANDLED, OK), "across a page"


@pytest.mark.parametrize(
    ("base", "size", "result"),
    [
        ((1 << 64) - 64, 64, EFAULT),  # ends at 2^64: no RAM there
        ((1 << 64) - 63, 64, EFAULT),  # wraps
        ((1 << 64) - 1, 0xFFFF_FFFF, EFAULT),
        (HOLE, 64, EFAULT),
        (RAM_END - 63, 64, EFAULT),
        (RAM_END - 64, 64, OK),
        (0, RAM_END, OK),
        (0, RAM_END + 1, EFAULT),
        (0, 0xFFFF_FFFF, EFAULT),
        (0x3000, 63, EINVAL),
        (0x3000, 1, EINVAL),
        (0x3000, 65, OK),
        (0x3001, 64, OK),  # unaligned
        (0x3FF0, 64, OK),  # across a page
        (SCRATCH - 8, 64, OK),  # over its own descriptor
    ],
)
def test_generic_R12_base_and_size(bench, base, size, result):
    assert call(bench, base, size, TYPES["steal_time"]) == (HANDLED, result)
    assert bench.serves("steal_time") == (base if result == OK else None)
    assert (registry(0, TYPES["steal_time"]) in bench.machine.entries) is (result == OK)


def test_generic_R12_an_area_may_end_where_the_address_space_ends(bench):
    bench.memory.add((1 << 64) - 0x1000, 0x1000)
    assert call(bench, (1 << 64) - 64, 64, TYPES["steal_time"]) == (HANDLED, OK)
    assert call(bench, (1 << 64) - 63, 64, TYPES["steal_time"]) == (HANDLED, EFAULT)


def test_generic_R12_an_unknown_type_may_have_any_size(bench):
    assert call(bench, 0x3000, 1, UNKNOWN_TYPE) == (HANDLED, OK)
    assert call(bench, HOLE, 1, UNKNOWN_TYPE + 1) == (HANDLED, EFAULT)


def test_generic_R12_read_only_memory_cannot_be_an_area(bench):
    bench.memory.add(HOLE, 0x1000, readonly=True)
    assert call(bench, HOLE, 64, TYPES["steal_time"]) == (HANDLED, EFAULT)


def test_generic_R12_a_refused_call_leaves_what_was_registered(bench):
    bench.register("steal_time", 0x3000)
    assert bench.register("steal_time", HOLE) is REFUSED
    assert bench.serves("steal_time") == 0x3000


def test_generic_R12_overlap_is_not_checked(bench):
    assert bench.register("steal_time", 0x3000) is ACCEPTED
    assert bench.register("kvmclock", 0x3020) is ACCEPTED
    bench.enter()
    assert (bench.serves("steal_time"), bench.serves("kvmclock")) == (0x3000, 0x3020)


def test_generic_R13_one_area_for_each_type_of_a_vcpu():
    bench = bench_of(Generic, vcpus=2)
    bench.register("steal_time", 0x3000, cpu=0)
    bench.register("steal_time", 0x4000, cpu=1)
    bench.register("steal_time", 0x5000, cpu=0)
    assert (bench.serves("steal_time", 0), bench.serves("steal_time", 1)) == (0x5000, 0x4000)
    bench.enter(0)
    assert bench.number(0x3008) == 0, "the replaced area is left alone"
    assert bench.number(0x5008) == 2


@pytest.mark.parametrize("name", ["wall_clock", "watchdog", "migration_control"])
def test_generic_R13_a_type_of_the_vm_is_one_for_all_vcpus(name):
    bench = bench_of(Generic, vcpus=2)
    bench.register(name, 0x3000, cpu=0)
    bench.register(name, 0x4000, cpu=1)
    assert bench.serves(name, VM) == 0x4000
    assert {key.cpu for key in bench.machine.host_entries("registry")} == {VM}


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


# -- R15: migration --------------------------------------------------------------------------------------


def test_generic_R15_nothing_reads_the_registry(bench):
    bench.register("steal_time", 0x3000)
    assert bench.rdmsr(MSR) is FAULT
    assert bench.get_msr(MSR) is None
    assert bench.set_msr(MSR, SCRATCH) is False


def test_generic_R15_a_migration_loses_it_and_the_areas_freeze(bench):
    bench.register("steal_time", 0x3000)
    bench.enter()
    assert bench.migrate() == ()
    bench.enter()
    assert bench.number(0x3008) == 2
    assert bench.machine.host_entries("area") == {}


def test_generic_R15_mitigation_carry_registry():
    """Mitigation carry-registry: a new ioctl reads and writes the registry, and a migration carries it."""
    bench = bench_of(Generic, mitigations=("carry-registry",), vcpus=2)
    for cpu in (0, 1):
        bench.register("steal_time", 0x3000 + 0x1000 * cpu, cpu)
    bench.register("watchdog", 0x5000)
    call(bench, 0x6000, 8, UNKNOWN_TYPE, cpu=1)
    before = bench.machine.host_entries("registry"), bench.machine.host_entries("area")
    saved = bench.migrate()
    assert set(saved) == {
        (0, TYPES["steal_time"], 0x3000, 64), (1, TYPES["steal_time"], 0x4000, 64),
        (VM, TYPES["watchdog"], 0x5000, 16), (1, UNKNOWN_TYPE, 0x6000, 8),
    }  # fmt: skip
    assert (bench.machine.host_entries("registry"), bench.machine.host_entries("area")) == before


@pytest.mark.parametrize(("mitigations", "writes"), [((), True), (("quiet-restore",), False)])
def test_generic_R15_mitigation_quiet_restore(mitigations, writes):
    """Mitigation quiet-restore: the areas are restored, and no payload is written before the next entry."""
    bench = bench_of(Generic, mitigations=("carry-registry", *mitigations))
    for name, gpa in (("kvmclock", 0x3000), ("wall_clock", 0x4000)):
        bench.register(name, gpa)
    before = bench.counts["host_stores"]
    bench.migrate()
    assert (bench.serves("kvmclock"), bench.serves("wall_clock", VM)) == (0x3000, 0x4000)
    assert (bench.counts["host_stores"] > before) is writes


def test_generic_R15_after_a_quiet_restore_the_next_entry_writes_the_clock_once():
    bench = bench_of(Generic, mitigations=("carry-registry", "quiet-restore"))
    bench.register("kvmclock", 0x3000)
    bench.memory.store(0x3000, bytes(32))
    bench.migrate()
    assert not any(bench.memory.load(0x3000, 32))
    bench.enter()
    assert bench.number(0x3000) == 2, "the version of a structure written once"
    bench.enter()
    assert bench.number(0x3000) == 2


@pytest.mark.parametrize(("mitigations", "served"), [((), HOLE), (("validate-restore",), None)])
def test_generic_R15_a_carried_area_without_memory_on_the_destination(mitigations, served):
    """The area is restored unchecked, and written once memory appears; mitigation validate-restore leaves it out."""
    bench = bench_of(Generic, mitigations=("carry-registry", *mitigations))
    bench.memory.add(HOLE, 0x1000)
    bench.register("steal_time", HOLE)
    bench.register("kvmclock", 0x3000)
    bench.memory.delete(HOLE)
    bench.migrate()
    assert (bench.serves("steal_time"), bench.serves("kvmclock")) == (served, 0x3000)
    bench.memory.add(HOLE, 0x1000)
    bench.enter()
    assert any(bench.memory.load(HOLE, 64)) is (served is not None)


@pytest.mark.parametrize(
    ("base", "size", "good"),
    [
        (RAM_END - 64, 64, True),
        (HOLE, 64, False),
        (RAM_END - 32, 64, False),
        (GPA_LIMIT - 32, 64, False),
        (0x3000, 63, False),
    ],
)
def test_generic_R15_mitigation_validate_restore_takes_what_the_call_takes(base, size, good):
    """Mitigation validate-restore: the same descriptor is served after a restore if and only if the call serves it."""
    for mitigations in ((), ("validate-restore",)):
        called, restored = (bench_of(Generic, mitigations=("carry-registry", *mitigations)) for _ in range(2))
        call(called, base, size, TYPES["steal_time"])
        cpus = tuple(restored.machine.cpus.values())
        restored.host(restored.protocol.restore(cpus, ((0, TYPES["steal_time"], base, size),)))
        assert (called.serves("steal_time") == base) is good
        agree = called.machine.host_entries("area") == restored.machine.host_entries("area")
        assert agree is (good or "validate-restore" in mitigations)


@pytest.mark.parametrize(
    ("mitigations", "interface", "carried"), [((), "none", False), (("carry-registry",), "new ioctl", True)]
)
def test_generic_R15_the_state_is_16_bytes_for_each_area_and_a_count(mitigations, interface, carried):
    bench = bench_of(Generic, mitigations=mitigations)
    bench.register("steal_time", 0x3000)
    bench.register("wall_clock", 0x4000)
    call(bench, 0x5000, 8, UNKNOWN_TYPE)
    state = bench.state()
    assert sorted((entry.cpu, entry.name, entry.entry_bytes) for entry in state) == [
        (VM, "area wall_clock", 16), (VM, "number of areas", 4),
        (0, "area of type 0x1234", 16), (0, "area steal_time", 16), (0, "number of areas", 4),
    ]  # fmt: skip
    assert {(entry.interface, entry.architected, entry.carried) for entry in state} == {(interface, False, carried)}


# -- R16 to R18 ------------------------------------------------------------------------------------------


def test_generic_R16_the_host_reads_24_bytes_whoever_wrote_them():
    assert {abi: KVM_MEMORY_AREA.on(abi).size for abi in Abi} == {Abi.X86_64: 24, Abi.I386: 20}
    bench = bench_of(Generic, abi=Abi.I386)
    bench.memory.store(SCRATCH, KVM_MEMORY_AREA.on(Abi.I386)(base=0x3000, size=64, type=5).pack())
    loads = [step for _, step in serve(bench) if isinstance(step, Load) and step.gpa == SCRATCH]
    assert all(step.what.on(Abi.X86_64).size == 24 for step in loads)
    assert bench.serves("steal_time") == 0x3000, "what matters stands at the same place"


def test_generic_R16_an_i386_descriptor_in_the_last_20_bytes_of_memory_is_refused():
    at = RAM_END - 20
    bench = bench_of(Generic, abi=Abi.I386)
    bench.machine.cpus[0] = bench.machine.cpus[0].but(descriptor=at)
    assert bench.register("steal_time", 0x3000) is REFUSED
    bench.machine.cpus[0] = bench.machine.cpus[0].but(descriptor=at - 4)
    assert bench.register("steal_time", 0x3000) is ACCEPTED


def test_generic_R17_the_vector_stands_in_the_area(bench):
    bench.guest(FEATURES["async_pf"].prepare(0x3000))
    assert bench.register("async_pf", 0x3000) is ACCEPTED
    assert bench.number(0x3008) == 0xF3
    assert [field.name for field in KVM_MEMORY_AREA.on(Abi.X86_64).fields] == ["base", "size", "type", "result", "pad"]


def test_generic_R18_every_feature_has_a_number_of_its_own():
    assert set(TYPES) == set(FEATURES)
    assert len({type_number(feature) for feature in FEATURES.values()}) == len(FEATURES)

    class Own(type(FEATURES["watchdog"])):
        name = "an engineer's own"

    assert type_number(Own()) == type_number(Own()) > 0x8000_0000
    assert type_number(Own()) < 1 << 32


@pytest.mark.parametrize(("mitigations", "kept"), [((), 40), (("bound-registry",), REGISTRY_LIMIT)])
def test_generic_R18_user_space_takes_any_number_or_16_with_bound_registry(mitigations, kept):
    """Mitigation bound-registry: user space keeps at most 16 areas for one vCPU and answers ENOSPC."""
    bench = bench_of(Generic, mitigations=mitigations, vcpus=2)
    results = [call(bench, 0x3000, 8, 0x1000 + n)[1] for n in range(40)]
    assert results == [OK] * kept + [ENOSPC] * (40 - kept)
    assert len(bench.machine.entries[registry(0, "types")]) == kept
    assert call(bench, 0x4000, 8, 0x1000) == (HANDLED, OK), "replacing one takes no more room"
    assert call(bench, 0x3000, 8, 0x2000, cpu=1) == (HANDLED, OK), "the limit is for one vCPU"
    call(bench, 0, 0, 0x1001)
    assert call(bench, 0x3000, 8, 0x3000) == (HANDLED, OK), "a revoked one makes room"


# -- the mitigations that belong to R2 and R12 -----------------------------------------------------------


def test_generic_R2_mitigation_pending_result():
    """Mitigation pending-result: the guest sets result to not-processed before the call."""
    for host, answer in [
        (Host(), ACCEPTED),
        (Host(knows_protocol=False, ignore_msrs=True), REFUSED),
        (Host(knows_protocol=False, user_msrs=frozenset({MSR})), REFUSED),
        (Host(knows_protocol=False), REFUSED),
    ]:
        bench = bench_of(Generic, mitigations=("pending-result",), host=host)
        assert bench.register("steal_time", 0x3000) is answer
        assert bench.number(SCRATCH + RESULT, 1) == (OK if answer is ACCEPTED else PENDING)


@pytest.mark.parametrize(
    ("second", "base", "result"),
    [
        ("kvmclock", 0x3020, EBUSY),
        ("kvmclock", 0x3040, OK),  # right behind
        ("kvmclock", 0x2FE0, OK),  # right before
        ("kvmclock", 0x2FE1, EBUSY),
        ("steal_time", 0x3010, OK),  # the same type again replaces
        ("wall_clock", 0x3000, EBUSY),
        ("kvmclock", 0x5000, EBUSY),  # over the VM's
    ],
)
def test_generic_R12_mitigation_refuse_overlap(second, base, result):
    """Mitigation refuse-overlap: an area that overlaps another of its vCPU or of the VM is refused with EBUSY."""
    bench = bench_of(Generic, mitigations=("refuse-overlap",))
    bench.register("steal_time", 0x3000)
    bench.register("watchdog", 0x5008)
    feature = FEATURES[second]
    assert call(bench, base, feature.size, TYPES[second]) == (HANDLED, result)


def test_generic_R12_mitigation_refuse_overlap_does_not_look_at_other_vcpus():
    bench = bench_of(Generic, mitigations=("refuse-overlap",), vcpus=2)
    assert [bench.register("steal_time", 0x3000, cpu) for cpu in (0, 1)] == [ACCEPTED, ACCEPTED]


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


def test_every_mitigation_has_a_line_and_a_test_here():
    """Every mitigation of generic occurs in the name or docstring of a test above."""
    said = " ".join(f"{name} {test.__doc__}" for name, test in globals().items() if name.startswith("test_"))
    assert [name for name in Generic.mitigations_known if name.replace("-", "_") not in said and name not in said] == []
    assert all("(R" in line for line in Generic.mitigations_known.values())


# -- laws ------------------------------------------------------------------------------------------------

calls = st.tuples(
    st.sampled_from([0, 0x3000, 0x3020, SCRATCH, RAM_END - 64, RAM_END, HOLE, (1 << 64) - 64]),
    st.sampled_from([0, 1, 8, 12, 32, 64, 4096, 0xFFFF_FFFF]),
    st.sampled_from([*TYPES.values(), 0, UNKNOWN_TYPE, 0xFFFF_FFFF]),
    st.integers(0, 1),
)


@given(
    calls=st.lists(calls, max_size=12),
    mitigations=st.sets(st.sampled_from(sorted(Generic.mitigations_known))),
    init=st.booleans(),
)
def test_generic_R13_the_list_of_types_the_entries_and_the_areas_never_disagree(calls, mitigations, init):
    bench = bench_of(Generic, mitigations=mitigations, vcpus=2)
    for base, size, kind, cpu in calls:
        outcome, result = call(bench, base, size, kind, cpu=cpu, at=SCRATCH + 0x2000)
        assert outcome is HANDLED
        assert result in (OK, EFAULT, EINVAL, EBUSY, ENOSPC)
    if init:
        bench.init(0)
    entries = bench.machine.host_entries("registry")
    listed = {(key.cpu, kind) for key, kinds in entries.items() if key.name == "types" for kind in kinds}
    assert listed == {(key.cpu, key.name) for key in entries if key.name != "types"}
    names = {kind: name for name, kind in TYPES.items()}
    served = {(key.cpu, names[key.name]): value[0] for key, value in entries.items() if key.name in names}
    assert {(key.cpu, key.name): gpa for key, gpa in bench.machine.host_entries("area").items()} == served


def test_generic_R6_user_space_is_entered_after_the_check_and_before_the_second_read(bench):
    bench.memory.store(SCRATCH, KVM_MEMORY_AREA(base=0x3000, size=16, type=TYPES["watchdog"]).pack())
    kinds = [(side, type(step).__name__) for side, step in serve(bench)]
    at = kinds.index((KERNEL, ToUser.__name__))
    assert {side for side, _ in kinds[: at + 1]} == {KERNEL}
    assert {side for side, _ in kinds[at + 1 :]} == {USER}
    assert kinds[at + 1] == (USER, "Load")


def test_generic_R14_mitigation_revoke_all_is_an_instruction_that_completes():
    bench = bench_of(Generic, mitigations=("revoke-all",))
    bench.register("steal_time", 0x3000)
    assert bench.wrmsr(MSR, 0) is HANDLED
    assert bench.machine.entries == {}
    assert bench.wrmsr(MSR, 0) is HANDLED, "also where there is nothing to revoke"


@pytest.mark.parametrize("mitigations", [(), ("carry-registry",)])
def test_generic_R15_each_area_is_sixteen_bytes_and_their_number_four(mitigations):
    bench = bench_of(Generic, mitigations=mitigations)
    bench.register("steal_time", 0x3000)
    bench.register("wall_clock", 0x4000)
    sizes = [(entry.cpu, entry.name, entry.entry_bytes, entry.wire_bytes) for entry in bench.state()]
    assert sizes == [
        (VM, "area wall_clock", 16, 16),
        (VM, "number of areas", 4, 4),
        (0, "area steal_time", 16, 16),
        (0, "number of areas", 4, 4),
    ]
