"""Which handler serves a register access, and what happens if the register is not claimed."""

import pytest

from workbench.clayout.layout import U32
from workbench.core.driver import guest_side, host_read, host_side, host_write
from workbench.core.host_state import VM, register
from workbench.core.hypercalls import KVM_EPERM, share
from workbench.core.machine import Machine
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN
from workbench.core.steps import GUEST, KERNEL, USER, Exit, Get, Load, Rdmsr, Set, Share, Store, ToUser, Wrmsr
from workbench.core.vcpu import Host, Vcpu
from workbench.protocols import Null

OPEN, SHUT, UNSERVED, DEFLECTED, HOSTS_ONLY, FOREIGN = 1, 2, 3, 4, 5, 0x999


class Registers(Null):
    """One register of each kind: accepted, refused, claimed but unknown to its handler, deflected, the host's only."""

    msrs = frozenset({OPEN, SHUT, UNSERVED, DEFLECTED, HOSTS_ONLY})
    deflected = frozenset({DEFLECTED})

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if msr == UNSERVED:
            return UNKNOWN
        if msr == SHUT:
            return FAULT
        yield Set(register(cpu.index, msr), (value, host_initiated))
        return HANDLED

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        if msr == HOSTS_ONLY:
            return 7 if host_initiated else FAULT
        if msr in (UNSERVED, SHUT):
            return UNKNOWN if msr == UNSERVED else FAULT
        return ((yield Get(register(cpu.index, msr))) or (0, None))[0]


PROTOCOL = Registers(())


KNOWING = Host()


def machine_on(host=KNOWING):
    machine = Machine([Vcpu(0, host=host)])
    machine.memory.add(0, 0x1000)
    return machine


def one(machine, step, cpl=0):
    """Run a guest program of one step and return its answer."""

    def program():
        return (yield step)

    return machine.run(0, guest_side(PROTOCOL, program(), cpl=cpl))


# -- the access itself ---------------------------------------------------------------------------------


def test_a_claimed_register_is_written_and_read_back():
    machine = machine_on()
    assert one(machine, Wrmsr(OPEN, 77)) is HANDLED
    assert one(machine, Rdmsr(OPEN)) == 77
    assert machine.counts["wrmsr_exits"] == machine.counts["rdmsr_exits"] == 1
    assert machine.entries[register(0, OPEN)] == (77, False)


def test_a_refusal_reaches_the_guest_as_a_fault():
    machine = machine_on()
    assert one(machine, Wrmsr(SHUT, 1)) is FAULT
    assert one(machine, Rdmsr(SHUT)) is FAULT
    assert machine.counts["kernel_exits"] == 2


@pytest.mark.parametrize("cpl", [1, 2, 3])
@pytest.mark.parametrize("step", [Wrmsr(OPEN, 5), Rdmsr(OPEN), Wrmsr(FOREIGN, 0)])
def test_above_cpl_0_the_instruction_faults_before_the_host_hears_of_it(cpl, step):
    machine = machine_on(Host(ignore_msrs=True))
    assert one(machine, step, cpl=cpl) is FAULT
    assert machine.counts["exits"] == 0
    assert machine.entries == {}


def test_guest_user_space_may_touch_memory_but_share_none():
    machine = Machine([Vcpu(0)], encrypted=True)
    machine.memory.add(0, 0x1000)
    assert one(machine, Store(8, 5, U32), cpl=3) is True
    assert one(machine, Load(8, U32), cpl=3) == 5
    assert one(machine, share(0, 64), cpl=3) == -KVM_EPERM
    assert machine.memory.shared_pages == 0
    assert (machine.counts["hypercall_exits"], machine.counts["kernel_exits"]) == (1, 1)


def test_sharing_goes_to_the_vmm_which_does_it():
    machine = Machine([Vcpu(0)], encrypted=True)
    machine.memory.add(0, 0x1000)
    assert one(machine, share(0, 64)) == 0
    assert machine.memory.shared_pages == 1
    assert (machine.counts["hypercall_exits"], machine.counts["user_exits"]) == (1, 1)


def test_a_hypercall_leaves_the_guest_passes_kvm_and_is_done_by_the_vmm():
    def program():
        return (yield share(8, 64))

    stream = guest_side(PROTOCOL, program())
    steps = [next(stream), stream.send(Vcpu(0)), stream.send(None)]
    assert steps == [
        (GUEST, Exit("hypercall", 12, (0, 1, 0), "VMCALL")),
        (KERNEL, ToUser("map_gpa_range")),
        (USER, Share(0, 4096, True)),
    ]
    with pytest.raises(StopIteration) as stop:
        stream.send(HANDLED)
    assert stop.value.value == 0


# -- registers nobody claims ---------------------------------------------------------------------------

NOBODYS = [
    pytest.param(FOREIGN, Host(), id="not the protocol's"),
    pytest.param(UNSERVED, Host(), id="the handler says unknown"),
    pytest.param(OPEN, Host(knows_protocol=False), id="the host is older than the protocol"),
]


@pytest.mark.parametrize(("msr", "host"), NOBODYS)
def test_an_unclaimed_register_faults(msr, host):
    machine = machine_on(host)
    assert one(machine, Wrmsr(msr, 1)) is FAULT
    assert one(machine, Rdmsr(msr)) is FAULT
    assert (machine.counts["kernel_exits"], machine.counts["user_exits"]) == (2, 0)


@pytest.mark.parametrize(("msr", "host"), NOBODYS)
def test_ignore_msrs_swallows_the_write_and_reads_zero(msr, host):
    machine = machine_on(Host(host.knows_protocol, ignore_msrs=True))
    assert one(machine, Wrmsr(msr, 1)) is HANDLED
    assert one(machine, Rdmsr(msr)) == 0
    assert (machine.counts["kernel_exits"], machine.counts["user_exits"]) == (2, 0)
    assert machine.entries == {}


@pytest.mark.parametrize(("msr", "host"), NOBODYS)
@pytest.mark.parametrize("ignore_msrs", [False, True])
def test_the_vmm_that_asked_for_such_exits_gets_them_first(msr, host, ignore_msrs):
    machine = machine_on(Host(host.knows_protocol, ignore_msrs, user_msrs=frozenset({msr})))
    assert one(machine, Rdmsr(msr)) == 0
    assert one(machine, Wrmsr(msr, 41)) is HANDLED
    assert one(machine, Rdmsr(msr)) == 41
    assert (machine.counts["kernel_exits"], machine.counts["user_exits"]) == (0, 3)
    assert machine.entries == {register(VM, msr): 41}


def test_ignore_msrs_does_not_hide_a_refused_value():
    machine = machine_on(Host(ignore_msrs=True, user_msrs=frozenset({SHUT})))
    assert one(machine, Wrmsr(SHUT, 1)) is FAULT
    assert one(machine, Rdmsr(SHUT)) is FAULT
    assert machine.counts["user_exits"] == 0


# -- the VMM's own accesses ----------------------------------------------------------------------------


def by_host(machine, msr, value=None):
    cpu = machine.cpus[0]
    return machine.run(
        0, host_read(PROTOCOL, cpu, msr) if value is None else host_write(PROTOCOL, cpu, msr, value)
    )


def test_the_vmm_writes_and_reads_without_an_exit():
    machine = machine_on()
    assert by_host(machine, OPEN, 9) is True
    assert by_host(machine, OPEN) == 9
    assert machine.entries[register(0, OPEN)] == (9, True), "the handler was told who wrote"
    assert machine.counts["exits"] == 0


def test_the_handler_is_told_who_reads():
    machine = machine_on()
    assert by_host(machine, HOSTS_ONLY) == 7
    assert one(machine, Rdmsr(HOSTS_ONLY)) is FAULT


@pytest.mark.parametrize("msr", [SHUT, UNSERVED, FOREIGN, DEFLECTED])
def test_an_entry_that_is_refused_or_unknown_is_not_processed(msr):
    machine = machine_on(Host(ignore_msrs=True, user_msrs=frozenset({FOREIGN})))
    assert by_host(machine, msr, 9) is False
    assert by_host(machine, msr) is None
    assert machine.entries == {}


def test_a_host_older_than_the_protocol_processes_nothing():
    machine = machine_on(Host(knows_protocol=False))
    assert by_host(machine, OPEN, 9) is False
    assert by_host(machine, OPEN) is None


# -- sides ---------------------------------------------------------------------------------------------


def steps_of(program, answers):
    """Drive ``program`` with the given answers and return what it yields."""
    seen, answer = [], None
    for answer in [None, *answers]:
        try:
            seen.append(program.send(answer))
        except StopIteration:
            break
    return seen


def test_the_guests_steps_and_its_handlers_are_one_stream_of_sides():
    def program():
        yield Store(0, 1, U32)
        yield Wrmsr(OPEN, 3)
        yield Load(0, U32)

    stream = steps_of(guest_side(PROTOCOL, program()), [True, Vcpu(0), None, 1])
    assert stream == [
        (GUEST, Store(0, 1, U32)),
        (GUEST, Exit("wrmsr", OPEN)),
        (KERNEL, Set(register(0, OPEN), (3, False))),
        (GUEST, Load(0, U32)),
    ]


def test_after_to_user_the_handlers_steps_are_the_vmms():
    def handler():
        yield Get("a")
        yield ToUser("why")
        yield Get("b")
        return "done"

    assert steps_of(host_side(handler()), [None] * 3) == [
        (KERNEL, Get("a")),
        (KERNEL, ToUser("why")),
        (USER, Get("b")),
    ]
    assert steps_of(host_side(handler(), USER), [None])[0] == (USER, Get("a"))


def test_the_handler_is_served_under_the_record_that_the_exit_handed_out():
    """Circumstances may change between two exits of one program (a migration): the next exit sees the new ones."""
    machine = machine_on()
    answers = []

    def program():
        answers.append((yield Wrmsr(OPEN, 1)))
        machine.cpus[0] = machine.cpus[0].but(host=Host(knows_protocol=False))
        answers.append((yield Wrmsr(OPEN, 1)))

    machine.run(0, guest_side(PROTOCOL, program()))
    assert answers == [HANDLED, FAULT]
