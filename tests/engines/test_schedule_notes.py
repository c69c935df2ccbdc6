"""Notes of programs can be queried as facts of a chosen schedule, whatever the kind of their key."""

from workbench.checking.ghosts import STRAY, Ghost
from workbench.core.event_steps import Begin, Start
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, ProgramName, vcpu_slot
from workbench.core.steps import GUEST, Note
from workbench.engines.simulate.schedule import Schedule, Turn
from workbench.lifecycle.event import AfterBoot
from workbench.protocols.null import Null

SEEN = Ghost("something was seen")


def notes(cpu):
    yield Note(SEEN, True)


class Noting(AfterBoot):
    name = "noting"

    def happen(self, scenario):
        yield Start(0, notes)


def test_a_ghost_that_a_program_notes_can_be_asked_for():
    schedule = Schedule(Scenario(Null(()), ()), Noting())
    assert not schedule.value(SEEN)
    schedule.turn(Turn.of(EVENT, Begin(0, ProgramName("notes", (), None, 0, 0))))
    schedule.turn(Turn.of(vcpu_slot(0), (GUEST, Note(SEEN, True))))
    assert schedule.value(SEEN) is True
    assert not schedule.value(STRAY)
