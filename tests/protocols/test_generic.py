"""generic, one test or more per clause: R1 to R8, what the 2011 patch and its review say, and laws."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clayout.layout import Abi
from workbench.core.host_state import VM, registry
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, UNKNOWN
from workbench.core.steps import KERNEL, USER, Store, ToUser, Wrmsr
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
    RESULT,
    TYPES,
)

from .bench import bench_of
from .generic_calls import (
    HOLE,
    KERNEL_SERVED,
    MSR,
    UNKNOWN_TYPE,
    USER_SERVED,
    call,
    guest_steps,
    owner_of,
    serve,
)


@pytest.fixture
def bench():
    return bench_of(Generic)


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


def test_every_mitigation_has_a_line_and_a_test():
    """Every mitigation of generic occurs in the name or docstring of a test in the files of this design."""
    files = [ast.parse(path.read_text()) for path in sorted(Path(__file__).parent.glob("test_generic*.py"))]
    tests = [node for file in files for node in file.body if isinstance(node, ast.FunctionDef)]
    said = " ".join(f"{test.name} {ast.get_docstring(test)}" for test in tests if test.name.startswith("test_"))
    assert [name for name in Generic.mitigations_known if name.replace("-", "_") not in said and name not in said] == []
    assert all("(R" in line for line in Generic.mitigations_known.values())
