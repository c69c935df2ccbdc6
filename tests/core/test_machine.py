"""The concrete machine: its counts, its records, and that two equal runs give the same result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clayout.layout import U32, U64
from workbench.core.driver import guest_side, host_side, host_write
from workbench.core.host_state import area, register
from workbench.core.hypercalls import share
from workbench.core.machine import TICK_NS, TSC_PER_NS, Access, Machine
from workbench.core.outcome import HANDLED
from workbench.core.scenario import Scenario
from workbench.core.steps import (
    GUEST,
    KERNEL,
    USER,
    Exit,
    Get,
    Load,
    Moment,
    Note,
    Now,
    Set,
    Store,
    ToUser,
    Wrmsr,
)
from workbench.core.vcpu import MAX_VCPUS, Vcpu
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.lifecycle.boot import Boot
from workbench.protocols import Generic, Null, PerFeature

RAM = 0x1000
NOWHERE = 0x80000
EXITS = ("exits", "kernel_exits", "user_exits", "wrmsr_exits", "mmio_exits", "hypercall_exits", "pio_exits")


class ToTheVmm(Null):
    """One register, which the VMM serves."""

    msrs = frozenset({1})
    deflected = frozenset()  # KVM_SET_MSRS reaches its handler

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield ToUser("for the VMM")
        yield Store(RAM, value, U32)
        return HANDLED


@pytest.fixture
def machine():
    machine = Machine([Vcpu(0), Vcpu(1)], trace=True)
    machine.memory.add(0, 0x4000)
    return machine


def guest(machine, *steps, cpl=0, protocol=None):
    """Run ``steps`` as a guest program; return their answers."""

    def program():
        answers = []
        for step in steps:
            answers.append((yield step))
        return answers

    return machine.run(0, guest_side(protocol or Null(()), program(), cpl=cpl))


def host(machine, *steps):
    """Run ``steps`` as a host program; return their answers."""

    def program():
        answers = []
        for step in steps:
            answers.append((yield step))
        return answers

    return machine.run(0, host_side(program()))


def exits(machine):
    return {name: machine.counts[name] for name in EXITS if machine.counts[name]}


# -- how many vCPUs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, MAX_VCPUS + 1])
def test_a_machine_has_1_to_4096_vcpus(number):
    with pytest.raises(WorkbenchError) as error:
        Machine(Vcpu(index) for index in range(number))
    assert str(error.value) == f"a machine of {number} vCPUs: allowed are 1 to 4096"


@pytest.mark.parametrize("number", [1, MAX_VCPUS])
def test_the_limits_themselves_are_allowed(number):
    assert len(Machine(Vcpu(index) for index in range(number)).cpus) == number


# -- exits and their classes ---------------------------------------------------------------------------


def test_ram_is_no_exit(machine):
    assert guest(machine, Store(RAM, 7, U32), Load(RAM, U32)) == [True, 7]
    assert exits(machine) == {}
    assert (machine.counts["guest_stores"], machine.counts["guest_loads"]) == (1, 1)


def test_memory_outside_every_memslot_is_mmio_and_user_space_answers_with_ones(machine):
    assert guest(machine, Load(NOWHERE, U32), Store(NOWHERE, 7, U32)) == [0xFFFF_FFFF, True]
    assert exits(machine) == {"exits": 2, "mmio_exits": 2, "user_exits": 2}


def test_a_write_to_a_read_only_memslot_is_mmio_a_read_is_not(machine):
    machine.memory.set_readonly(0, True)
    assert guest(machine, Load(RAM, U32), Store(RAM, 7, U32)) == [0, True]
    assert exits(machine) == {"exits": 1, "mmio_exits": 1, "user_exits": 1}
    assert machine.memory.load(RAM, 4) == bytes(4)


def test_a_register_write_is_a_kernel_exit(machine):
    protocol = PerFeature(choose())
    assert guest(machine, Wrmsr(0x4B56_4D05, 0), protocol=protocol) == [HANDLED]
    assert exits(machine) == {"exits": 1, "kernel_exits": 1, "wrmsr_exits": 1}


def test_an_exit_handed_to_the_vmm_is_counted_once_as_a_user_exit(machine):
    assert guest(machine, Wrmsr(1, 9), protocol=ToTheVmm(())) == [HANDLED]
    assert exits(machine) == {"exits": 1, "user_exits": 1, "wrmsr_exits": 1}
    assert machine.memory.load(RAM, 1) == b"\x09"
    assert machine.memory.vmm_dirty() == [RAM], "the VMM wrote, not KVM"


def test_a_host_initiated_write_is_no_exit_whoever_serves_it(machine):
    protocol = ToTheVmm(())
    guest(machine, Wrmsr(1, 9), protocol=protocol)
    assert machine.run(0, host_write(protocol, machine.cpus[0], 1, 5)) is True
    assert exits(machine) == {"exits": 1, "user_exits": 1, "wrmsr_exits": 1}
    assert machine.memory.load(RAM, 1) == b"\x05"


def test_an_exit_that_kvm_has_finished_is_not_given_to_the_vmm_later(machine):
    guest(machine, Wrmsr(0x4B56_4D05, 0), protocol=PerFeature(choose()))
    machine.run(0, host_write(ToTheVmm(()), machine.cpus[0], 1, 5))
    assert exits(machine) == {"exits": 1, "kernel_exits": 1, "wrmsr_exits": 1}


def test_an_exit_is_given_to_the_vmm_once_however_often_it_is_asked(machine):
    host(machine, ToUser("before any exit"))
    assert exits(machine) == {}

    def program():
        yield GUEST, Exit("wrmsr", 1)
        yield KERNEL, ToUser("first")
        yield USER, ToUser("again")

    machine.run(0, program())
    assert exits(machine) == {"exits": 1, "user_exits": 1, "wrmsr_exits": 1}


def test_a_hypercall_is_a_user_exit(machine):
    assert guest(machine, share(RAM, 64)) == [0]
    assert exits(machine) == {"exits": 1, "hypercall_exits": 1, "user_exits": 1}


def test_memory_of_the_host_is_never_an_exit(machine):
    assert host(machine, Load(NOWHERE, U32), Store(NOWHERE, 1, U32), Store(RAM, 1, U32)) == [None, False, True]
    assert exits(machine) == {}
    assert machine.counts["host_writes_failed"] == machine.counts["host_writes_arrived"] == 1


def test_only_the_guest_can_access_private_memory():
    machine = Machine([Vcpu(0)], encrypted=True)
    machine.memory.add(0, 0x2000)
    assert guest(machine, Store(RAM, 7, U32), Load(RAM, U32)) == [True, 7]
    assert host(machine, Load(RAM, U32), Store(RAM, 1, U32)) == [None, False]
    guest(machine, share(RAM, 1))
    assert host(machine, Load(RAM, U32), Store(RAM, 1, U32)) == [7, True]


# -- what the host remembers ---------------------------------------------------------------------------


def test_an_entry_set_to_none_is_forgotten_and_one_set_to_zero_is_not(machine):
    key = register(0, 5)
    assert host(machine, Get(key), Set(key, 0), Get(key), Set(key, None), Get(key)) == [None, None, 0, None, None]
    assert key not in machine.entries
    assert machine.ever[key] == 0, "what was once there is known for the verdict"


def test_host_entries_are_sorted_by_kind(machine):
    host(machine, Set(register(0, 5), 1), Set(area(1, "kvmclock"), 0x40))
    assert machine.host_entries("area") == {area(1, "kvmclock"): 0x40}


def test_a_note_changes_nothing_else(machine):
    guest(machine, Note("owner", 3), Note("gone", 1), Note("gone", None))
    assert machine.notes == {"owner": 3}
    assert machine.trace == []
    assert machine.entries == {}


def test_the_watcher_of_host_stores_sees_those_that_arrive_and_no_guest_stores(machine):
    seen = []
    machine.on_host_store = lambda gpa, size, side: seen.append((gpa, size, side))
    guest(machine, Store(RAM, 1, U32))
    host(machine, Store(RAM, 1, U64), Store(NOWHERE, 1, U32), ToUser("x"), Store(RAM, b"abc"))
    assert seen == [(RAM, 8, KERNEL), (RAM, 3, USER)]


# -- records -------------------------------------------------------------------------------------------


def test_every_access_is_recorded_with_cause_class_and_bytes(machine):
    guest(machine, Store(RAM, b"12345"), Wrmsr(1, 9), protocol=ToTheVmm(()))
    assert machine.trace == [
        Access(0, "guest", "store", "none", RAM, 5),
        Access(0, "guest", "wrmsr 0x1", "kernel", None, 0),
        Access(0, "kernel", "to user: for the VMM", "user", None, 0),
        Access(0, "user", "store", "none", RAM, 4),
    ]


def test_an_access_that_becomes_mmio_is_recorded_once_and_touches_no_memory(machine):
    guest(machine, Load(NOWHERE, U64), Load(RAM, U64), Store(NOWHERE, 1, U64))
    exit_to_user = [
        Access(0, "guest", "mmio 0x80000", "kernel", None, 0),
        Access(0, "kernel", "to user: nobody's device", "user", None, 0),
    ]
    assert machine.trace == [*exit_to_user, Access(0, "guest", "load", "none", RAM, 8), *exit_to_user]


def test_a_host_access_that_fails_touches_no_bytes(machine):
    host(machine, Load(NOWHERE, U64), Store(NOWHERE, 1, U64))
    assert [(access.cause, access.size) for access in machine.trace] == [("load", 0), ("store", 0)]


def test_without_trace_nothing_is_recorded():
    machine = Machine([Vcpu(0)])
    machine.memory.add(0, 0x1000)
    guest(machine, Load(0, U32))
    assert machine.trace is None


# -- time and determinism ------------------------------------------------------------------------------


def test_time_goes_on_with_every_step_within_a_program_and_across_programs(machine):
    first, _, second = host(machine, Now(), Get("x"), Now())
    (third,) = host(machine, Now())
    assert second.ns - first.ns == 2 * TICK_NS
    assert third.ns - second.ns == TICK_NS
    assert second.tsc - first.tsc == 2 * TICK_NS * TSC_PER_NS
    assert second.run_delay > first.run_delay


def test_steps_are_counted_also_when_a_program_fails(machine):
    with pytest.raises(WorkbenchError):
        host(machine, Get("x"), Get("y"), "not a step")
    assert machine.counts["steps"] == 3


def image(run):
    """Return everything that a run leaves: the memory, the trace, the counts and the host's entries."""
    memory = run.machine.memory
    slots = [(slot.gpa, memory.load(slot.gpa, slot.size)) for slot in memory.slots]
    return slots, run.trace, sorted(run.counts.items()), sorted(map(str, run.machine.entries.items()))


@given(
    protocol=st.sampled_from([Generic, PerFeature, Null]), vcpus=st.integers(1, 3), seed=st.integers(0, 2**32)
)
def test_the_same_seed_gives_the_same_bytes_and_the_same_trace(protocol, vcpus, seed):
    features = choose()
    one, other = (
        simulate(Scenario(protocol(features), features, vcpus=vcpus, seed=seed), Boot(), trace=True)
        for _ in range(2)
    )
    assert image(one) == image(other)
    assert one.fates == other.fates


def test_another_seed_gives_another_clock_and_the_same_counts():
    features = choose()
    one, other = (
        simulate(Scenario(PerFeature(features), features, seed=seed), Boot(), trace=True) for seed in (1, 2)
    )
    assert one.trace == other.trace
    assert one.counts == other.counts
    assert image(one)[0] != image(other)[0], "the clock's payload holds the time"


def test_kernel_and_user_writes_are_distinguished(machine):
    # KERNEL and USER write the same byte; only the first is in KVM's dirty log.
    assert machine.poke(RAM, b"k", KERNEL)
    assert machine.poke(RAM + 0x1000, b"u", USER)
    assert machine.poke(RAM + 0x2000, b"g", GUEST)
    assert machine.memory.dirty_log(0) == [RAM, RAM + 0x2000]


@pytest.mark.parametrize(("seed", "ns"), [(None, 1_000_000), (0, 1_000_000), (1, 1_007_919), (127, 1_005_713)])
def test_the_clock_begins_within_the_second_millisecond_where_the_seed_says(seed, ns):
    machine = Machine([Vcpu(0)]) if seed is None else Machine([Vcpu(0)], seed=seed)
    assert machine.now() == Moment(ns, TSC_PER_NS * ns, ns // 10)
