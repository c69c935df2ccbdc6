"""generic, one test or more per clause: R9 to R13, R16 to R18, what the patch leaves open, and mitigations."""

import pytest

from workbench.clayout.layout import Abi
from workbench.core.host_state import VM, registry
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.relay import relayed
from workbench.core.steps import KERNEL, Load
from workbench.core.vcpu import Host
from workbench.engines.simulate.by_hand import RAM_END, SCRATCH
from workbench.features import FEATURES
from workbench.protocols import Generic
from workbench.protocols.generic import (
    EBUSY,
    EFAULT,
    EINVAL,
    ENOSPC,
    KVM_MEMORY_AREA,
    OK,
    PENDING,
    REGISTRY_LIMIT,
    RESULT,
    TYPES,
    type_number,
)

from .bench import bench_of
from .generic_calls import (
    HOLE,
    MSR,
    UNKNOWN_TYPE,
    call,
    serve,
)


@pytest.fixture
def bench():
    return bench_of(Generic)


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
