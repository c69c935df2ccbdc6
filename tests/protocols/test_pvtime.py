"""pvtime, clause by clause: the host places the stolen-time areas, and the guest asks where."""

import pytest

from tests.protocols.designs import failing
from workbench.core.driver import guest_side, host_side
from workbench.core.scenario import Scenario, beliefs
from workbench.design import Get, Hypercall, Store, area, registry
from workbench.engines.simulate import simulate
from workbench.engines.simulate.engine import Simulation
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.protocols.pvtime import (
    ARCH_FEATURES,
    EEXIST,
    EINVAL,
    NOT_SUPPORTED,
    PV_TIME_FEATURES,
    PV_TIME_ST,
    PvTime,
)

FEATURES = choose(PvTime.own_features)


def scenario(vcpus=2):
    return Scenario(PvTime(FEATURES), FEATURES, vcpus=vcpus)


def run(event, vcpus=2):
    return simulate(scenario(vcpus), EVENTS[event])


@pytest.fixture
def started():
    return Simulation(scenario())


def call(started, number, *arguments):
    def program():
        return (yield Hypercall(number, arguments))

    return started.machine.run(0, guest_side(started.scenario.protocol, program()))


def test_R1_each_vcpu_has_an_area_in_the_hosts_own_memory():
    here = scenario()
    assert beliefs(simulate(here, EVENTS["boot"]).machine.notes) == {
        (cpu, "stolen_time"): here.addresses.host_memory(cpu) for cpu in (0, 1)
    }
    assert failing(PvTime, "kexec-no-teardown") == set()


def test_R2_two_questions_once_and_R3_one_exit_for_each_cpu():
    assert run("boot", 4).counts["exits"] == 2 + 4


@pytest.mark.parametrize(("number", "argument"), [(ARCH_FEATURES, 7), (PV_TIME_FEATURES, 7)])
def test_R2_what_is_not_there_is_not_supported(started, number, argument):
    assert call(started, number, argument) == NOT_SUPPORTED


def test_R3_a_host_without_the_call_answers_minus_1():
    assert {fate.value for fate in run("old-host").fates.values()} == {"refused"}


def test_R4_the_structure_is_zeroed(started):
    gpa = started.scenario.addresses.host_memory(0)
    started.machine.run(0, host_side(_store(gpa)))
    assert call(started, PV_TIME_ST) == gpa
    assert started.machine.memory.load(gpa, 64) == bytes(64)


def _store(gpa):
    return (yield Store(gpa, b"\xff" * 64))


def test_R5_a_cpu_that_goes_down_makes_no_call():
    found = run("cpu-unplug")
    assert found.counts["exits"] == 0
    assert area(1, "stolen_time") in found.machine.entries


def test_R6_the_vmm_is_told_what_is_wrong(started):
    protocol, feature, cpu = started.scenario.protocol, FEATURES[0], started.scenario.cpu(0)

    def place(gpa):
        return started.machine.run(0, host_side(protocol.place(cpu, feature, gpa)))

    assert [place(gpa) for gpa in (0x1020, 1 << 40, 0x1000, 0x2000, 1 << 40)] == [EINVAL, EINVAL, 0, EEXIST, EEXIST]
    assert call(started, PV_TIME_ST) == 0x1000


def test_R7_a_reset_leaves_the_area():
    assert {area(0, "stolen_time"), area(1, "stolen_time")} <= set(run("init-no-reregister").machine.entries)


def test_R8_a_migration_carries_nothing_and_loses_nothing():
    found = run("migrate")
    assert found.scenario.protocol.state(found.machine.entries, found.scenario.cpus) == []
    assert {fate.value for fate in found.fates.values()} == {"registered"}
    assert failing(PvTime, "migrate") == set()


def test_R9_the_host_writes_once_asked_or_placed(started):
    protocol = started.scenario.protocol

    def served():
        return (yield Get(area(0, "stolen_time")))

    assert started.machine.run(0, host_side(served())) is None
    started.machine.run(0, host_side(protocol.place(started.scenario.cpu(0), FEATURES[0], 0x1000)))
    assert started.machine.run(0, host_side(served())) == 0x1000
    assert registry(0, "placed") in started.machine.entries
