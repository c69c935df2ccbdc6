"""What a program notes is a fact of a chosen schedule, whatever kind of name it has."""

from workbench.checking.ghosts import STRAY, Ghost
from workbench.core.event_steps import Start
from workbench.core.scenario import Scenario
from workbench.core.steps import Note
from workbench.engines.simulate.schedule import Schedule
from workbench.lifecycle.event import Event
from workbench.protocols.null import Null

SEEN = Ghost("something was seen")


def notes(cpu):
    yield Note(SEEN, True)


class Noting(Event):
    name = "noting"

    def happen(self, scenario):
        yield Start(0, notes)


def test_a_ghost_that_a_program_notes_can_be_asked_for():
    schedule = Schedule(Scenario(Null(()), ()), Noting())
    assert not schedule.value(SEEN)
    schedule.turn("event", "start notes on vCPU 0")
    schedule.turn("vcpu0", f"guest: {SEEN} = True")
    assert schedule.value(SEEN) is True
    assert not schedule.value(STRAY)
