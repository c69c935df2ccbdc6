"""Hypercalls and accesses to devices: who answers, what the guest gets, and which exits are counted."""

import pytest

from workbench.core.contracts import Protocol
from workbench.core.contracts.protocol import IoRange
from workbench.core.driver import guest_side
from workbench.core.host_state import VM, registry
from workbench.core.hypercalls import ENCRYPTED, KVM_EINVAL, KVM_ENOSYS, KVM_EPERM, KVM_HC_MAP_GPA_RANGE, share
from workbench.core.machine import Machine
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN
from workbench.core.steps import Get, Hypercall, MmioRead, MmioWrite, PioRead, PioWrite, Set, Store, ToUser
from workbench.core.vcpu import Host, Vcpu
from workbench.errors import WorkbenchError

PAIR, UNSERVED, PASSED_ON = 100, 101, 102
DOORBELL, IN_KERNEL, PORT = 0xD000_0000, 0xD000_1000, 0x510
LAST = registry(VM, "last")


class Device(Protocol):
    """Claims three hypercalls, two ranges of addresses, and four ports."""

    name = "device"
    hypercalls = frozenset({PAIR, UNSERVED, PASSED_ON})
    mmio = (IoRange(DOORBELL, 16), IoRange(IN_KERNEL, 8, "kernel"))
    ports = (IoRange(PORT, 4),)

    def on_hypercall(self, cpu, number, arguments):
        if number == UNSERVED:
            return UNKNOWN
        if number == PASSED_ON:
            yield ToUser("the VMM decides")
        yield Set(LAST, arguments)
        return sum(arguments), cpu.index

    def on_mmio_write(self, cpu, gpa, value, size):
        yield Set(LAST, (gpa, value, size))

    def on_mmio_read(self, cpu, gpa, size):
        return (yield Get(LAST))[1]

    on_pio_write, on_pio_read = on_mmio_write, on_mmio_read


@pytest.fixture
def machine():
    machine = Machine([Vcpu(0), Vcpu(1)])
    machine.memory.add(0, 0x2000)
    return machine


def one(machine, step, *, cpu=0, cpl=0):
    def program():
        return (yield step)

    return machine.run(cpu, guest_side(Device(()), program(), cpl=cpl))


def exits(machine):
    return {name: count for name, count in machine.counts.items() if count and name.endswith("exits")}


# -- hypercalls ------------------------------------------------------------------------------------------


def test_a_hypercall_passes_its_arguments_and_answers_with_what_the_handler_returns(machine):
    assert one(machine, Hypercall(PAIR, (3, 4)), cpu=1) == (7, 1)
    assert machine.entries[LAST] == (3, 4)
    assert exits(machine) == {"exits": 1, "hypercall_exits": 1, "kernel_exits": 1}


def test_a_hypercall_that_the_handler_passes_on_is_a_user_exit(machine):
    assert one(machine, Hypercall(PASSED_ON, (1,))) == (1, 0)
    assert exits(machine) == {"exits": 1, "hypercall_exits": 1, "user_exits": 1}


@pytest.mark.parametrize("number", [UNSERVED, 7])
def test_what_nobody_claims_answers_as_kvm_does(machine, number):
    assert one(machine, Hypercall(number, (1, 2))) == -KVM_ENOSYS == -1000
    assert machine.entries == {}
    assert exits(machine) == {"exits": 1, "hypercall_exits": 1, "kernel_exits": 1}


def test_a_host_older_than_the_protocol_claims_nothing(machine):
    machine.cpus[0] = machine.cpus[0].but(host=Host(knows_protocol=False))
    assert one(machine, Hypercall(PAIR, (1, 2))) == -KVM_ENOSYS
    assert one(machine, MmioRead(DOORBELL, 4)) == 0xFFFF_FFFF
    assert one(machine, PioRead(PORT, 1)) == 0xFF
    assert one(machine, MmioWrite(DOORBELL, 1, 4)) is HANDLED
    assert machine.entries == {}
    assert exits(machine) == {
        "exits": 4, "hypercall_exits": 1, "mmio_exits": 2, "pio_exits": 1, "kernel_exits": 1, "user_exits": 3
    }  # fmt: skip


def test_another_architecture_answers_in_its_own_way(machine, monkeypatch):
    monkeypatch.setattr(Device, "unknown_hypercall", -2)
    assert one(machine, Hypercall(7)) == -2


def test_user_mode_leaves_the_guest_and_is_refused(machine):
    assert one(machine, Hypercall(PAIR, (1, 2)), cpl=3) == -KVM_EPERM
    assert machine.entries == {}
    assert exits(machine) == {"exits": 1, "hypercall_exits": 1, "kernel_exits": 1}


@pytest.mark.parametrize("arguments", [(8, 1, 0), (0, 0, 0), ()])
def test_kvm_refuses_a_range_that_is_no_pages(machine, arguments):
    assert one(machine, Hypercall(KVM_HC_MAP_GPA_RANGE, arguments)) == -KVM_EINVAL


def test_pages_are_shared_and_made_private_again():
    machine = Machine([Vcpu(0)], encrypted=True)
    machine.memory.add(0, 0x4000)
    assert share(0xFFF, 2) == Hypercall(KVM_HC_MAP_GPA_RANGE, (0, 2, 0))
    assert one(machine, share(0xFFF, 2)) == 0
    assert machine.memory.shared_pages == 2
    assert share(0, 1, shared=False).arguments[2] == ENCRYPTED
    one(machine, share(0, 1, shared=False))
    assert machine.memory.shared_pages == 1


# -- devices ---------------------------------------------------------------------------------------------


def test_the_vmm_serves_a_device(machine):
    assert one(machine, MmioWrite(DOORBELL + 4, 9, 4)) is HANDLED
    assert machine.entries[LAST] == (DOORBELL + 4, 9, 4)
    assert one(machine, MmioRead(DOORBELL, 4)) == 9
    assert exits(machine) == {"exits": 2, "mmio_exits": 2, "user_exits": 2}


def test_the_kernel_serves_a_range_that_it_was_given(machine):
    one(machine, MmioWrite(IN_KERNEL, 1, 8))
    assert exits(machine) == {"exits": 1, "mmio_exits": 1, "kernel_exits": 1}


def test_the_vmm_serves_a_port(machine):
    assert one(machine, PioWrite(PORT, 0xAB, 1)) is HANDLED
    assert machine.entries[LAST] == (PORT, 0xAB, 1)
    assert one(machine, PioRead(PORT + 2, 2)) == 0xAB
    assert exits(machine) == {"exits": 2, "pio_exits": 2, "user_exits": 2}


def test_an_access_that_is_partly_outside_the_range_is_nobodys(machine):
    assert one(machine, PioRead(PORT + 2, 4)) == 0xFFFF_FFFF
    assert one(machine, MmioRead(DOORBELL + 12, 8)) == 0xFFFF_FFFF_FFFF_FFFF
    assert exits(machine) == {"exits": 2, "pio_exits": 1, "mmio_exits": 1, "user_exits": 2}


def test_an_address_that_no_device_claims_is_memory_if_there_is_some(machine):
    assert one(machine, MmioWrite(0x100, 0x1234, 2)) is HANDLED
    assert machine.memory.load(0x100, 2) == b"\x34\x12"
    assert one(machine, MmioRead(0x100, 2)) == 0x1234
    assert exits(machine) == {}


@pytest.mark.parametrize(
    "step", [PioRead(PORT, 1), PioWrite(PORT, 1, 1), MmioRead(DOORBELL, 4), MmioWrite(DOORBELL, 1, 4)]
)
def test_user_mode_reaches_no_device(machine, step):
    assert one(machine, step, cpl=3) is FAULT
    assert exits(machine) == {}


@pytest.mark.parametrize(
    ("step", "wrong"),
    [(PioRead(PORT, 8), "possible are 1, 2, 4"), (MmioRead(DOORBELL, 3), "possible are 1, 2, 4, 8"),
     (MmioWrite(DOORBELL, 1 << 32, 4), "does not fit into 4 bytes"), (PioWrite(PORT, -1, 1), "does not fit")],
)  # fmt: skip
def test_an_access_that_no_instruction_makes_is_an_error(machine, step, wrong):
    with pytest.raises(WorkbenchError, match=wrong):
        one(machine, step)


@pytest.mark.parametrize("arguments", [5, [5], ("five",), (None,), 5.0])
def test_the_arguments_of_a_hypercall_are_a_tuple_of_numbers(machine, arguments):
    with pytest.raises(WorkbenchError, match=r"a tuple of numbers; write Hypercall\(number, \(a, b\)\)"):
        one(machine, Hypercall(PAIR, arguments))
    assert exits(machine) == {}


def test_an_ordinary_store_does_not_reach_a_device(machine):
    one(machine, Store(DOORBELL, b"\1\0\0\0"))
    assert machine.entries == {}
