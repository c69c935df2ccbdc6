"""Make a double fetch happen: the student is the scheduler and says who steps next."""

from typing import Any

from workbench.checking.failures import FAILURES
from workbench.classroom.answers import a_list
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.scheduler import Scheduler
from workbench.core.steps import Load
from workbench.errors import WorkbenchError
from workbench.measure.exploration.explore import Question, TraceRow, explore_question

FAILURE = next(failure for failure in FAILURES.values() if failure.name == "double-fetch")
DESIGN, EVENT, FEATURES, VCPUS = "generic", "descriptor-race", ("steal_time",), 2


class DoubleFetch(Exercise):
    """A schedule of the generic design in which the host reads two different descriptors for one call."""

    name, number = "double-fetch", 5
    title = "Make a double fetch happen: you are the scheduler"
    aim = "find, step by step, the one moment at which another vCPU defeats the host's check"
    minutes, points = 12, 10
    knows = ("notebook 02: the steps of a generic registration", "exercise read-a-trace: how to read a trace")
    hints = (
        "Take only steps of vcpu0 first, and count how often the host (KVM) loads the descriptor. Then start again.",
        "vCPU 1 has nothing to do until the event has started its program. Starting it changes no memory, so it may be "
        "started early.",
        "The host must see the good descriptor when it checks, and the bad one when it acts. Let vCPU 1 store between "
        "these two loads, then go on with vcpu0 until the second load is done.",
    )

    def judge(self, answer: Any) -> Judged:
        """Run the schedule on a machine, and ask the catalogue's property about the state at its end."""
        picks = a_list(answer, "the schedule")
        done = Scheduler(Question.of(DESIGN, EVENT, FEATURES, VCPUS))
        try:
            done.take_all(picks)
        except WorkbenchError as error:
            return Judged(False, str(error), _again(done), done.text() if done.rows else "")
        if FAILURE.holds(done.machine):
            return Judged(False, _what_happened(done), _again(done), done.text() if done.rows else "")
        shortest = len(_shortest(done.question))
        said = f"double fetch after {len(picks)} steps; the explorer's shortest schedule has {shortest}"
        return Judged(True, said, _again(done), done.text(FAILURE))


def _again(done: Scheduler) -> str:
    return f"SchedulerPanel(schedule={done.picks!r})"


def _shortest(question: Question) -> tuple[TraceRow, ...]:
    """Return the explorer's shortest trace to the failure."""
    return explore_question(question, (FAILURE,)).trace(FAILURE) or ()


def _what_happened(done: Scheduler) -> str:
    """Say when the host read the descriptor and when vCPU 1 changed it."""
    descriptor = done.machine.scenario.cpu(0).descriptor
    reads = [
        number
        for number, row in enumerate(done.rows, 1)
        if row.side != "guest" and type(row.own_step) is Load and row.own_step.gpa == descriptor
    ]
    changes = [number for number, row in enumerate(done.rows, 1) if row.side == "guest" and row.cpu == 1]
    told = f"the host read the descriptor in {_steps(reads)}" if reads else "the host has not read the descriptor yet"
    if not changes:
        return f"no double fetch in {len(done.rows)} steps: {told}, and vCPU 1 never changed it"
    return f"no double fetch in {len(done.rows)} steps: {told}, and vCPU 1 changed it in {_steps(changes)}"


def _steps(numbers: list[int]) -> str:
    return f"step {numbers[0]}" if len(numbers) == 1 else f"steps {', '.join(map(str, numbers))}"
