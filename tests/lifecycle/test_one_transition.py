"""A step of an event does the same to a machine in every engine, and what cannot be done is the same error."""

import pytest

from workbench.checking.environment import READING, EnvironmentAction
from workbench.checking.facts import Facts
from workbench.checking.ghosts import reading
from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.contracts import Protocol
from workbench.core.event_steps import (
    AddMemslot,
    DeleteMemslot,
    Init,
    KernelGone,
    MoveMemslot,
    NewHost,
    Pause,
    Resume,
    Start,
    Stop,
    Wait,
)
from workbench.core.host_state import VM, registry
from workbench.core.hypercalls import share
from workbench.core.machine_transition import perform_on_machine
from workbench.core.outcome import ACCEPTED, HANDLED
from workbench.core.scenario import Scenario, believes
from workbench.core.steps import Note, Set
from workbench.engines.explore import FAILS, HOLDS, Property
from workbench.engines.explore.vm import Bounds, MachineModel, asking, explore_machine
from workbench.engines.simulate import simulate
from workbench.engines.simulate.schedule import Schedule, Turn
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.lifecycle.event import Event
from workbench.protocols.null import Null

MIB = 0x10_0000


class Remembering(Protocol):
    """Its host remembers under which host it served INIT."""

    name = "remembering"

    def register(self, cpu, feature, gpa):
        return ACCEPTED
        yield

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        return HANDLED
        yield

    def on_init(self, cpu):
        yield Set(registry(VM, "LAPIC in the kernel"), "yes" if cpu.host.irqchip else "no")


def happening(*steps, setup=()):
    """Return an event that consists of these steps."""

    class Steps(Event):
        name = "steps"

        def setup(self, scenario):
            yield from setup

        def happen(self, scenario):
            yield from steps

    return Steps()


ONCE = Bounds()


def explored(scenario, event, *properties, bounds=ONCE):
    """Explore ``event``; return the verdicts of ``properties``, (kind, question to the facts) each."""

    def asked(machine):
        return [Property(f"P{n}", "", kind, asking(machine, ask)) for n, (kind, ask) in enumerate(properties)]

    return list(explore_machine(MachineModel(scenario, event, asked, bounds)).verdicts.values())


def in_a_schedule(scenario, event):
    schedule = Schedule(scenario, event)
    for step in event.happen(scenario):
        perform_on_machine(schedule, step)
    return schedule


ENGINES = {"simulate": simulate, "schedule": in_a_schedule, "explore": explored}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        (DeleteMemslot(0x1234_5000), "no memslot begins at gpa 0x12345000"),
        (MoveMemslot(0x1234_5000, 64 * MIB), "no memslot begins at gpa 0x12345000"),
        (AddMemslot(0x8_0000, MIB), "overlap"),
        (MoveMemslot(0, MIB), "overlap"),
    ],
)
def test_what_a_vmm_cannot_do_is_an_error_in_every_engine(engine, step, wrong):
    with pytest.raises(WorkbenchError, match=wrong):
        ENGINES[engine](Scenario(Null(()), ()), happening(step))


def shares(cpu):
    yield share(0x4000, 0x1000)


AWAY = 64 * MIB
GONE = [(MoveMemslot(0, AWAY), MoveMemslot(AWAY, 0)), (DeleteMemslot(0), AddMemslot(0, MIB))]


@pytest.mark.parametrize("away", GONE)
def test_pages_of_a_memslot_that_went_and_came_back_are_private_again(away):
    scenario = Scenario(Null(()), (), encrypted=True)
    event = happening(Start(0, shares), Wait(0), *away)
    run = simulate(scenario, event)
    assert not run.machine.memory.reachable(0x4000, 8, 1)
    reached, private_in_the_end = explored(
        scenario,
        event,
        ("sometimes", lambda facts: facts.reachable(0x4000, 8)),
        ("sometimes", lambda facts: facts.at_rest() and not facts.reachable(0x4000, 8)),
    )
    assert (reached, private_in_the_end) == (HOLDS, HOLDS)
    never_shared = ("always", lambda facts: not (facts.at_rest() and facts.reachable(0x4000, 8)))
    assert explored(scenario, event, never_shared) == [HOLDS]


def lapic(facts: Facts):
    return facts.value(registry(VM, "LAPIC in the kernel"))


def test_init_is_served_under_the_host_on_which_the_vcpu_is_now():
    scenario = Scenario(Remembering(()), ())
    event = happening(Pause(), NewHost((("irqchip", False),)), Resume(), Init(0))
    assert simulate(scenario, event).machine.entries[registry(VM, "LAPIC in the kernel")] == "no"
    seen = ("sometimes", lambda facts: lapic(facts) == "no")
    never = ("always", lambda facts: lapic(facts) != "yes")
    assert explored(scenario, event, seen, never) == [HOLDS, HOLDS]


def believing(cpu):
    yield Note(believes(cpu.index, "steal_time"), 0x5000)
    yield Note(believes(VM, "wall_clock"), 0x6000)


@pytest.mark.parametrize(("gone", "left"), [((0,), {1}), ((1,), {0, VM}), ((0, 1), set())])
def test_with_a_kernel_go_its_notes_and_with_vcpu_0_those_of_the_vm(gone, left):
    scenario = Scenario(Null(()), (), vcpus=2)
    event = happening(Start(0, believing), Wait(0), Start(1, believing), Wait(1), KernelGone(gone))
    names = {0: believes(0, "steal_time"), 1: believes(1, "steal_time"), VM: believes(VM, "wall_clock")}
    notes = simulate(scenario, event).machine.notes
    assert {owner for owner, name in names.items() if name in notes} == left

    def as_said(facts):
        return {owner for owner, name in names.items() if facts.value(name) is not None} == left

    assert explored(scenario, event, ("sometimes", lambda facts: facts.at_rest() and as_said(facts))) == [HOLDS]


def believing_in_its_area(cpu):
    yield Note(believes(0, "steal_time"), CLOCKED.addresses.gpa(Unit(0, 0, "steal_time")))


CLOCKED = Scenario(Remembering(choose(["steal_time"])), choose(["steal_time"]), vcpus=2)
READ = reading(0, "steal_time")


@pytest.mark.parametrize(("steps", "verdict"), [((), FAILS), ((Stop(1),), HOLDS)])
def test_a_stopped_vcpu_reads_nothing(steps, verdict):
    event = happening(*steps, Start(0, believing_in_its_area))
    never = ("always", lambda facts: facts.value(READ) is None)
    assert explored(CLOCKED, event, never, bounds=Bounds(updates=0, reads=1)) == [verdict]


def test_nor_does_it_in_a_schedule():
    schedule = in_a_schedule(CLOCKED, happening(Stop(1)))
    with pytest.raises(WorkbenchError, match=r"vCPU 1 reads steal_time of vCPU 0 \(kernel 0\): vCPU 1 is stopped"):
        schedule.turn(Turn.of(EnvironmentAction(READING, 1, "steal_time", 0, 0), None))


def test_something_else_is_no_step_of_an_event():
    with pytest.raises(WorkbenchError, match=r"which is not one of its steps: Start, Wait, WaitAll, Stop"):
        simulate(Scenario(Null(()), ()), happening(Unit(0, 0, DESCRIPTOR)))
