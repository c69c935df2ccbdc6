"""The transition function: the effect and the answer of each step, and the error for anything else."""

import pytest

from workbench.checking.environment import is_quiet
from workbench.clayout.layout import S8, U8, U16, U32, U64, Abi, struct
from workbench.core.host_state import registry
from workbench.core.machine import Machine
from workbench.core.rules.sides import allowed
from workbench.core.steps import (
    GUEST,
    KERNEL,
    USER,
    AllVcpus,
    Backed,
    Exit,
    Get,
    Load,
    Moment,
    Note,
    Now,
    Quiesce,
    Rdmsr,
    Set,
    Store,
    Wrmsr,
)
from workbench.core.transition import decode, encode, layout_of, perform, size_of
from workbench.core.vcpu import Vcpu
from workbench.errors import LayoutError, WorkbenchError

PAIR = struct("struct pair { __u64 left; __u32 right; };")
END = 0x2000


@pytest.fixture
def world():
    machine = Machine([Vcpu(0)])
    machine.memory.add(0, END)
    return machine


def test_a_struct_stands_for_its_x86_64_layout():
    assert layout_of(PAIR) is PAIR.on(Abi.X86_64)
    assert (size_of(PAIR), size_of(PAIR.on(Abi.I386)), size_of(U16), size_of(5)) == (16, 12, 2, 5)


@pytest.mark.parametrize(
    ("step", "data"),
    [
        (Store(0, 0x1234, U16), b"\x34\x12"),
        (Store(0, -1, S8), b"\xff"),
        (Store(0, b"raw"), b"raw"),
        (Store(0, PAIR(left=1, right=2)), b"\1" + bytes(7) + b"\2" + bytes(7)),
        (Store(0, PAIR.on(Abi.I386)(left=1, right=2)), b"\1" + bytes(7) + b"\2" + bytes(3)),
    ],
)
def test_a_store_writes_little_endian_bytes_of_the_width_it_names(step, data):
    assert encode(step) == data


def test_a_number_without_a_width_is_a_mistake():
    with pytest.raises(WorkbenchError) as error:
        encode(Store(0x40, 7))
    assert str(error.value) == "Store of the number 0x7 at gpa 0x40: say how wide it is, e.g. U32"


def test_a_number_that_does_not_fit_its_width_is_a_mistake():
    with pytest.raises(LayoutError) as error:
        encode(Store(0x40, 256, U8))
    assert str(error.value) == "u8 = 0x100 does not fit 8 bits (allowed: 0 to 0xff)"


def test_a_load_answers_in_the_form_it_asked_for():
    data = PAIR(left=1, right=2).pack()
    assert decode(PAIR, data).right == 2
    assert decode(16, data) == data
    assert decode(U64, data[:8]) == 1


@pytest.mark.parametrize("side", [GUEST, KERNEL, USER])
def test_what_one_side_stores_every_side_loads(world, side):
    assert perform(world, 0, side, Store(END - 4, 0xDEAD_BEEF, U32)) is True
    assert {perform(world, 0, reader, Load(END - 4, U32)) for reader in (GUEST, KERNEL, USER)} == {0xDEAD_BEEF}


@pytest.mark.parametrize("side", [KERNEL, USER])
def test_a_host_access_that_reaches_beyond_memory_fails_whole(world, side):
    assert perform(world, 0, side, Load(END - 4, U64)) is None
    assert perform(world, 0, side, Store(END - 4, 1, U64)) is False
    assert world.memory.load(END - 4, 4) == bytes(4)


def test_a_guest_access_that_reaches_beyond_memory_is_mmio_whole(world):
    world.memory.store(END - 4, b"1234")
    assert perform(world, 0, GUEST, Load(END - 4, U64)) == (1 << 64) - 1
    assert perform(world, 0, GUEST, Store(END - 4, 0, U64)) is True
    assert world.memory.load(END - 4, 4) == b"1234"
    assert world.counts["mmio_exits"] == 2


@pytest.mark.parametrize(
    ("gpa", "size", "backed"), [(0, END, True), (END - 1, 1, True), (END - 1, 2, False), (END, 1, False)]
)
def test_backed_is_memory_the_host_could_write(world, gpa, size, backed):
    assert perform(world, 0, KERNEL, Backed(gpa, size)) is backed


def test_a_read_only_memslot_is_not_backed(world):
    world.memory.set_readonly(0, True)
    assert perform(world, 0, KERNEL, Backed(0, 8)) is False
    assert perform(world, 0, KERNEL, Load(0, U64)) == 0


def test_entries_notes_and_time(world):
    key = registry(0, "kind")
    assert perform(world, 0, KERNEL, Set(key, 3)) is None
    assert perform(world, 0, KERNEL, Get(key)) == 3
    assert perform(world, 0, GUEST, Note("belief", 1)) is None
    assert isinstance(perform(world, 0, KERNEL, Now()), Moment)
    assert (world.entries, world.notes) == ({key: 3}, {"belief": 1})


def test_an_exit_answers_with_the_vcpus_record(world):
    assert perform(world, 0, GUEST, Exit("wrmsr", 1)) is world.cpus[0]


def test_a_handler_gets_all_vcpus_and_a_quiesce_does_not_wait_when_programs_run_in_turn():
    machine = Machine(Vcpu(index) for index in range(3))
    assert perform(machine, 2, KERNEL, AllVcpus()) == (0, 1, 2)
    assert perform(machine, 2, KERNEL, Quiesce()) is None
    assert machine.counts["quiesces"] == 1


@pytest.mark.parametrize(
    ("pending", "quiet"),
    [(None, True), ((GUEST, Load(0, U64)), True), ((GUEST, Exit("wrmsr", 1)), True), ((KERNEL, Quiesce()), True),
     ((KERNEL, Get("key")), False), ((USER, Set("key", 1)), False)],
)  # fmt: skip
def test_the_host_does_nothing_for_a_vcpu_that_is_in_the_guest_or_waits_itself(pending, quiet):
    assert is_quiet(pending) is quiet


@pytest.mark.parametrize("thing", ["text", None, 7])
def test_the_error_for_something_that_is_no_step_lists_the_steps(world, thing):
    with pytest.raises(WorkbenchError) as error:
        perform(world, 3, GUEST, thing)
    assert str(error.value) == (
        f"a guest program yielded {thing!r}, which is not a step; it may yield {allowed(GUEST)}"
    )


@pytest.mark.parametrize(("side", "step"), [(GUEST, Set(registry(0, 1), 2)), (KERNEL, Wrmsr(1, 2)), (USER, Rdmsr(1))])
def test_a_step_of_the_other_side_is_refused(world, side, step):
    with pytest.raises(WorkbenchError, match="only; "):
        perform(world, 0, side, step)
