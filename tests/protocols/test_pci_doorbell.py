"""pci_doorbell, clause by clause: a table, one doorbell, and what a device cannot know."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.core.contracts.protocol import Area
from workbench.core.scenario import Scenario
from workbench.design import ACCEPTED, REFUSED, U32, U64, Quiesce
from workbench.engines.simulate import simulate
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.measure.variants import Variant
from workbench.present.trial import Trial
from workbench.protocols.pci_doorbell import (
    ABI_MISMATCH,
    DOORBELL,
    EBUSY,
    EINVAL,
    ENABLED,
    ENTRY,
    RESULT,
    STATUS,
    TABLE,
    UNKNOWN_POLICY,
    VERSION_MISMATCH,
    PciDoorbell,
)

PLACES = (0x1_0000, 0x2_0000)


@pytest.fixture
def machine():
    made = bench(PciDoorbell, vcpus=2)
    for gpa in PLACES:
        made.prepare("pvsched", gpa)
    return made


def write(machine, *entries):
    for number, words in enumerate(entries):
        for half, word in enumerate(words):
            machine.mmio_write(TABLE + number * ENTRY + 8 * half, word, 8)


def ring(machine, count):
    machine.mmio_write(DOORBELL, count)
    return machine.mmio_read(RESULT)


def with_both(machine):
    write(machine, *enumerate(PLACES))
    assert ring(machine, 2) == 2
    return machine


def test_R1_the_type_stands_in_the_head_of_the_page(machine):
    machine.memory.store(PLACES[0] + 4, b"other policy    ")
    assert machine.register("pvsched", PLACES[0]) is REFUSED
    assert machine.number(PLACES[0] + STATUS) == UNKNOWN_POLICY
    assert machine.serves("pvsched") is None


def test_R2_R3_one_doorbell_registers_the_pages_of_all_vcpus(machine):
    write(machine, *enumerate(PLACES))
    assert [entry.name for entry in machine.state()] == ["word 0", "word 1", "word 2", "word 3"]
    assert ring(machine, 2) == 2
    assert [machine.serves("pvsched", cpu) for cpu in (0, 1)] == list(PLACES)
    machine.mmio_write(TABLE + 2 * ENTRY, 1, 8)  # behind the last entry
    assert [entry.name for entry in machine.state()] == ["result", "area pvsched", "area pvsched"]
    assert ring(machine, 3) == EINVAL


def test_R3_a_boot_takes_two_exits_for_each_vcpu_and_two_more():
    features = choose(PciDoorbell.own_features)
    for vcpus in (1, 2, 40):
        found = simulate(Scenario(PciDoorbell(features), features, vcpus=vcpus), EVENTS["boot"])
        assert found.counts["exits"] == found.counts["user_exits"] == 2 * vcpus + 2


@pytest.mark.parametrize(("cpu", "gpa"), [(2, PLACES[0]), (0, PLACES[0] + 64), (0, 1 << 40), (0, 0x5_0000)])
def test_R4_what_is_no_vcpu_no_page_or_no_head_is_not_served(machine, cpu, gpa):
    write(machine, (cpu, gpa))
    assert ring(machine, 1) == 0
    assert [machine.serves("pvsched", cpu) for cpu in (0, 1)] == [None, None]


@pytest.mark.parametrize(("offset", "status"), [(0, ABI_MISMATCH), (20, VERSION_MISMATCH), (28, ENABLED)])
def test_R4_the_status_says_what_did_not_match(machine, offset, status):
    machine.memory.store(PLACES[0] + offset, U32.pack(9))
    answer = machine.register("pvsched", PLACES[0])
    assert answer is (ACCEPTED if status == ENABLED else REFUSED)
    assert machine.number(PLACES[0] + STATUS) == status


def test_R4_where_there_is_no_device_the_guest_knows():
    assert failing(PciDoorbell, "old-host") == failing(PciDoorbell, "ignore-msrs") == set()


def test_R5_doorbell_0_revokes_all(machine):
    with_both(machine)
    machine.guest(machine.protocol.revoke_everything(machine.machine.cpus[1]), 1)
    assert machine.machine.entries == {}
    assert failing(PciDoorbell, "kexec") == failing(PciDoorbell, "crash") == set()
    assert "stray-write" in failing(PciDoorbell, "kexec-no-teardown")


def test_R6_the_vmms_state_is_what_is_served(machine):
    with_both(machine)
    assert machine.counts["user_exits"] == machine.counts["exits"]
    pages = [entry for entry in machine.state() if entry.name == "area pvsched"]
    assert [(entry.wire_bytes, entry.interface) for entry in pages] == [(16, "the VMM's device state")] * 2
    machine.memory.store(PLACES[0] + STATUS, U32.pack(7))
    machine.migrate()
    assert [machine.serves("pvsched", cpu) for cpu in (0, 1)] == list(PLACES)
    assert machine.number(PLACES[0] + STATUS) == 7
    assert failing(PciDoorbell, "migrate") == set()


def test_R6_a_restore_checks_the_page(machine):
    cpus = tuple(machine.machine.cpus.values())
    machine.host(machine.protocol.restore(cpus, ((0, "pvsched", 1 << 40), (1, "pvsched", PLACES[1]))))
    assert [machine.serves("pvsched", cpu) for cpu in (0, 1)] == [None, PLACES[1]]


def test_R7_nothing_that_early_boot_needs():
    protocol = PciDoorbell(choose(["pvsched", *FEATURES]))
    assert [feature.name for feature in protocol.features if protocol.supports(feature)] == ["pvsched"]


def test_R8_init_leaves_the_page_registered(machine):
    with_both(machine).init(1)
    assert machine.serves("pvsched", 1) == PLACES[1]
    assert "unknown-to-guest" in failing(PciDoorbell, "init-no-reregister")


def single_pages():
    made = bench(PciDoorbell, vcpus=2, mitigations=["single-pages"])
    for gpa in (*PLACES, 0x3_0000):
        made.prepare("pvsched", gpa)
    return made


def test_R9_registering_again_is_for_after_a_revocation_of_all(machine):
    assert machine.register("pvsched", PLACES[0], cpu=0) is ACCEPTED
    assert machine.register("pvsched", PLACES[1], cpu=1) is REFUSED
    assert machine.register("pvsched", PLACES[0], cpu=0) is REFUSED
    write(machine, (1, PLACES[1]))
    assert ring(machine, 1) == EBUSY
    assert ring(machine, 0) == 0
    assert ring(machine, 1) == 0  # the refused entry is not kept
    write(machine, (1, PLACES[1]))
    assert ring(machine, 1) == 1


def test_R10_one_page_alone_stays_registered_and_the_guest_knows_it(machine):
    with_both(machine)
    assert machine.unregister("pvsched", PLACES[1], cpu=1) is REFUSED
    assert machine.serves("pvsched", 1) == PLACES[1]


def test_R10_with_the_mitigation_a_doorbell_adds_replaces_and_revokes_one():
    machine = single_pages()
    assert machine.register("pvsched", PLACES[0], cpu=0) is ACCEPTED
    assert machine.register("pvsched", PLACES[1], cpu=1) is ACCEPTED
    assert machine.register("pvsched", 0x3_0000, cpu=0) is ACCEPTED
    assert [machine.serves("pvsched", cpu) for cpu in (0, 1)] == [0x3_0000, PLACES[1]]
    assert machine.unregister("pvsched", PLACES[1], cpu=1) is ACCEPTED
    assert [machine.serves("pvsched", cpu) for cpu in (0, 1)] == [0x3_0000, None]


def test_R11_an_entry_is_two_writes_which_need_not_be_whole(machine):
    machine.mmio_write(TABLE + 8, PLACES[0], 8)
    machine.mmio_write(TABLE + 4, 1, 4)  # no such register
    assert ring(machine, 1) == 1
    protocol, cpu = machine.protocol, machine.machine.cpus[0]
    areas = [Area(machine.machine.cpus[n], protocol.by_name["pvsched"], gpa) for n, gpa in enumerate(PLACES)]
    machine.guest(protocol.revoke_everything(cpu))
    exits = machine.counts["exits"]
    assert machine.guest(protocol.register_all(cpu, areas)) == (ACCEPTED, ACCEPTED)
    assert machine.counts["exits"] - exits == 2 * len(areas) + 2


def test_R12_a_revocation_waits_with_the_mitigation_alone():
    for mitigations in ((), ("quiesce",)):
        trial = Trial(Variant.of(PciDoorbell, mitigations))
        account = trial.guest(trial.protocol.revoke_everything(trial.machine.cpus[0]))
        assert any(type(taken.step) is Quiesce for taken in account.steps) is bool(mitigations)


def test_the_host_says_when_the_vcpu_last_ran(machine):
    with_both(machine).enter()
    assert U64.unpack(machine.memory.load(PLACES[0] + 32, 8)) > 0
    assert machine.read("pvsched", PLACES[0]) == ENABLED
