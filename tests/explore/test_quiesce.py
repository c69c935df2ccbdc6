"""One call that revokes the areas of all CPUs: later host writes, and a host that first waits for pending updates."""

from functools import cache

import pytest

from workbench.checking.failures import FAILURES, choose
from workbench.checking.ghosts import STRAY
from workbench.core.event_steps import GuestCall, Reassign, Start, Wait
from workbench.core.host_state import VM, area
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, entry_slot, vcpu_slot
from workbench.core.steps import GUEST, KERNEL, Get, Quiesce, Set, Store
from workbench.engines.explore import BOUNDED, FAILS, HOLDS, Property
from workbench.engines.explore.vm import MachineModel, asking, explore_machine, world
from workbench.engines.simulate.schedule import Schedule, Turn
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.features.kvmclock import Kvmclock
from workbench.lifecycle import EVENTS
from workbench.lifecycle.event import AfterBoot, of_its_own
from workbench.lifecycle.linux import LinuxKernel
from workbench.measure.exploration.crosscheck import compared
from workbench.measure.exploration.explore import Question, confirm, explore_question
from workbench.measure.variants import variant
from workbench.protocols import Generic

WAITING = Turn.of(vcpu_slot(0), (KERNEL, Quiesce()))


def question(name, event="kexec"):
    return Question(variant(name), EVENTS[event], choose_features(["pv_eoi"]), vcpus=2)


@cache
def explored(name, event="kexec"):
    return explore_question(question(name, event))


def failing(name, event):
    result = explored(name, event).result
    assert BOUNDED not in result.verdicts.values()
    assert result.deadlocks == 0
    return {code for code, verdict in result.verdicts.items() if verdict == FAILS}


@pytest.mark.parametrize(
    ("event", "each_for_itself", "one_for_all", "and_waits"),
    [
        ("kexec", set(), {"F01"}, set()),  # what one CPU revokes, another may be writing
        ("crash", {"F03"}, set(), set()),  # no other CPU can revoke what a stopped CPU registered
        ("kexec-no-teardown", {"F01"}, {"F01"}, {"F01"}),  # the next kernel's call comes too late
    ],
)
def test_what_one_call_for_all_makes_better_and_worse(event, each_for_itself, one_for_all, and_waits):
    names = ("generic", "generic+revoke-vm", "generic+revoke-vm+quiesce")
    assert [failing(name, event) for name in names] == [each_for_itself, one_for_all, and_waits]


def test_after_a_crash_linux_leaves_what_one_call_would_revoke():
    assert [failing(name, "crash") for name in ("per_feature", "generic+revoke-vm+quiesce")] == [{"F03"}, set()]


def stray_rows():
    return explored("generic+revoke-vm").trace(FAILURES["F01"])


def test_the_shortest_stray_write_is_an_update_that_had_read_where_the_area_was():
    rows = stray_rows()
    registered = area(1, "pv_eoi")
    read, revoked, given_away, written = (
        next(number for number, row in enumerate(rows) if row.actor == who and is_it(row.own_step))
        for who, is_it in (
            (entry_slot(1), lambda step: step == Get(registered)),
            (vcpu_slot(0), lambda step: step == Set(registered, None)),
            (EVENT, lambda step: isinstance(step, Reassign)),
            (entry_slot(1), lambda step: isinstance(step, Store)),
        )
    )
    assert read < revoked < given_away < written == len(rows) - 1
    assert len(rows) == 31
    schedule = confirm(question("generic+revoke-vm"), [row.turn for row in rows])
    assert schedule.value(STRAY) == ("pv_eoi",)
    assert not FAILURES["F01"].holds(schedule)


def test_on_bytes_the_revocation_waits_for_the_update_and_then_nothing_strays():
    """The same schedule, but the host waits: the update must end first, and it ends before the memory is given away."""
    rows = stray_rows()
    returned = next(number for number, row in enumerate(rows) if row.step == Wait(0))
    asked = question("generic+revoke-vm+quiesce")
    schedule = Schedule(asked.scenario, asked.event)
    schedule.play(row.turn for row in rows[:returned])
    with pytest.raises(WorkbenchError, match="vCPU 1 is being served, and vcpu0 waits until it is not"):
        schedule.turn(WAITING)
    with pytest.raises(WorkbenchError, match="vCPU 0 has not finished"):
        schedule.turn(rows[returned].turn)
    schedule.play(row.turn for row in rows[returned:] if row.actor == entry_slot(1))
    schedule.turn(WAITING)
    schedule.play(row.turn for row in rows[returned:] if row.actor == EVENT)
    assert FAILURES["F01"].holds(schedule)


# -- no deadlock ---------------------------------------------------------------------------------------------


class BothRevoke(AfterBoot):
    """Both vCPUs revoke the areas of all, at the same time."""

    name = "both-revoke"

    def happen(self, scenario):
        for cpu in range(scenario.vcpus):
            yield Start(cpu, LinuxKernel(scenario).revoke_everything)


def deadlocks():
    features = choose_features(["pv_eoi"])
    scenario = Scenario(Generic(features, ("revoke-vm", "quiesce")), features, vcpus=2)
    result = explore_machine(MachineModel(scenario, BothRevoke()))
    assert result.limit is None
    return result.deadlocks


def test_two_that_wait_do_not_wait_for_each_other():
    assert deadlocks() == 0


def test_they_would_if_one_that_waits_counted_as_busy(monkeypatch):
    monkeypatch.setattr(world, "is_quiet", lambda pending: pending is None or pending[0] is GUEST)
    assert deadlocks() > 0


# -- an area of the VM ---------------------------------------------------------------------------------------


class OneClock(Kvmclock):
    """A clock for the whole VM, which the host writes on the way into the guest of any vCPU."""

    name, scope = "one_clock", "vm"


def give_up(cpu, scenario):
    (clock,) = scenario.features
    yield from scenario.revoke(cpu, clock, 0)


class ClockGivenUp(AfterBoot):
    """vCPU 0 revokes the VM's clock and gives the memory to another owner."""

    name = "clock-given-up"

    def happen(self, scenario):
        yield from of_its_own(0, GuestCall(give_up, (scenario,)))
        yield Wait(0)
        yield Reassign(scenario.addresses.units(0, VM))


@pytest.mark.parametrize(("mitigations", "verdict"), [((), FAILS), (("quiesce",), HOLDS)])
def test_an_area_of_the_vm_may_be_under_update_when_one_vcpu_revokes_it(mitigations, verdict):
    features = (OneClock(),)
    scenario = Scenario(Generic(features, mitigations), features, vcpus=2)

    def stray(machine):
        (failure,) = choose(["F01"])
        return [Property(failure.code, failure.name, failure.kind, asking(machine, failure.holds))]

    result = explore_machine(MachineModel(scenario, ClockGivenUp(), stray))
    assert (result.verdicts, result.deadlocks) == ({"F01": verdict}, 0)


# -- a second opinion ----------------------------------------------------------------------------------------


@pytest.mark.spin
@pytest.mark.parametrize("name", ["generic+revoke-vm", "generic+revoke-vm+quiesce"])
@pytest.mark.parametrize("event", ["kexec", pytest.param("crash", marks=pytest.mark.slow)])
def test_spin_says_the_same_of_a_host_that_waits(name, event):
    found = compared(question(name, event))
    assert found.equal, found.opinion
