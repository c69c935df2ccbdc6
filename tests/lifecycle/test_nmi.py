"""An NMI between the exits of a registration: where it comes, what its handler does, which designs it harms."""

import pytest

from tests.protocols.designs import bench, failing
from workbench.core.event_steps import GuestCall
from workbench.core.outcome import ACCEPTED, FAULT, REFUSED
from workbench.core.scenario import Scenario
from workbench.core.steps import Rdmsr, Wrmsr
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle.nmi import interrupted
from workbench.measure.comparison.runs import measured
from workbench.measure.variants import Variant, features_of
from workbench.protocols import PROTOCOLS
from workbench.protocols.indexed import DATA, SELECT, Indexed

NMI = "nmi-between-exits"
TWO = ["kvmclock", "steal_time"]
#: What an interrupted call does to a design that takes an index in one exit and the address in another.
HARM = {"false-success", "old-area-live"}
#: Exits that the event adds to a boot of one vCPU with all of its features; none where each call takes one exit.
ADDED = {"generic": 0, "per_feature": 2, "msr_array": 0, "diag258": 0, "papr_vpa": 0, "xen_vcpu": 0, "sbi_sta": 0,
         "notify": 0, "grow_area": 0, "pvtime": 0, "command_block": 0}  # fmt: skip


def exits(one, event):
    return measured(one, features_of(one), 1, EVENTS[event]).counts["exits"]


@pytest.mark.parametrize("name", ADDED)
def test_a_call_of_one_exit_is_not_interrupted(name):
    one = Variant.of(PROTOCOLS[name])
    assert exits(one, NMI) - exits(one, "boot") == ADDED[name]


@pytest.mark.parametrize("name", ["indexed", "hyperv", "pci_doorbell"])
def test_a_call_of_several_exits_is(name):
    one = Variant.of(PROTOCOLS[name])
    assert exits(one, NMI) > exits(one, "boot")


@pytest.mark.parametrize(
    ("mitigations", "harmed"),
    [((), True), (("per-vcpu-select",), True), (("put-back",), False), (("one-shot",), False)],
)
def test_an_index_that_the_handler_changed_is_put_back_or_the_address_goes_astray(mitigations, harmed):
    found = failing(Indexed, NMI, TWO, mitigations=mitigations)
    assert (found >= HARM) is harmed
    assert harmed or found == set()


class LooksFirst(Indexed):
    """It reads DATA before it selects: an NMI after the first exit is harmless, one after the second is not."""

    name = "looks_first"

    def _take(self, slot):
        yield Rdmsr(DATA)
        return (yield from super()._take(slot))


class WritesTwice(Indexed):
    """It selects again before the address: an NMI after the first exit is harmless, one after the second is not."""

    name = "writes_twice"

    def _take(self, slot):
        yield Wrmsr(SELECT, slot)
        return (yield from super()._take(slot))


@pytest.mark.parametrize("kind", [LooksFirst, WritesTwice])
def test_every_place_between_two_exits_is_tried(kind):
    assert "old-area-live" in failing(kind, NMI, TWO)
    assert failing(kind, NMI, TWO, mitigations=["one-shot"]) == set()


def places(calls, after):
    """What is seen of a program that makes calls, if an NMI comes after one of its exits."""
    seen = []

    def program():
        for number in range(calls):
            yield Wrmsr(number, 0)

    def handler(cpu):
        yield "NMI"

    running = interrupted(program(), after, GuestCall(handler), None)
    try:
        while True:
            seen.append(next(running))
    except StopIteration as stop:
        return [step if step == "NMI" else step.msr for step in seen], stop.value


@pytest.mark.parametrize(
    ("calls", "after", "expected"),
    [(1, 1, [0]), (2, 1, [0, "NMI", 1]), (3, 2, [0, 1, "NMI", 2]), (3, 3, [0, 1, 2]), (0, 1, [])],
)
def test_where_it_comes(calls, after, expected):
    assert places(calls, after) == (expected, calls)


def test_a_call_that_faults_is_interrupted_too_and_stays_refused():
    """On a host that does not know the design, every exit is FAULT; the guest learns it."""
    scenario = EVENTS["old-host"].adapt(Scenario(Indexed(choose(TWO)), choose(TWO)))
    run = simulate(scenario, EVENTS[NMI])
    assert {fate.value for fate in run.fates.values()} == {"refused"}


def test_put_back_is_for_whoever_looks_too():
    machine = bench(Indexed, mitigations=["put-back"])
    protocol, cpu = machine.protocol, machine.machine.cpus[0]
    machine.register("kvmclock", 0x1_0000)
    machine.wrmsr(SELECT, 7)
    assert machine.guest(protocol.confirm(cpu, protocol.by_name["kvmclock"], 0x1_0000)) is ACCEPTED
    assert machine.guest(protocol.confirm(cpu, protocol.by_name["steal_time"], 0x1_0000)) is REFUSED
    assert machine.rdmsr(SELECT) == 7
    assert machine.wrmsr(DATA, 2) is FAULT


@pytest.mark.kvm
@pytest.mark.parametrize(("mitigations", "fate"), [((), "stale"), (("put-back",), "registered")])
def test_a_real_vcpu_is_harmed_as_the_simulated_one(mitigations, fate):
    from workbench.engines.kvm.engine import run_on_kvm

    scenario = Scenario(Indexed(choose(TWO), mitigations), choose(TWO))
    found = run_on_kvm(scenario, EVENTS[NMI]).fates
    assert found == simulate(scenario, EVENTS[NMI]).fates
    assert fate in {one.value for one in found.values()}
