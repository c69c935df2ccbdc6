"""Read a trace: find the step that does harm, and the step that made it possible."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from workbench.checking.failures import FAILURES
from workbench.checking.ghosts import OwnerOf
from workbench.classroom.answers import a_dict, a_number
from workbench.classroom.exercise import Exercise, Judged
from workbench.core.event_steps import Reassign
from workbench.engines.simulate.schedule import Schedule
from workbench.measure.exploration.explore import Question, TraceRow, as_explored
from workbench.measure.exploration.recording import one_after_the_other

FAILURE = next(failure for failure in FAILURES.values() if failure.name == "stray-write")
DESIGN, EVENT, FEATURES = "generic", "kexec-no-teardown", ("steal_time",)
KEYS = ("given_away", "wrong")


class Step(NamedTuple):
    """One step of the trace, with what is true after it."""

    row: TraceRow
    given_away: bool  #: memory of the old kernel has a new owner
    wrong: bool  #: the host has written to such memory


class ReadATrace(Exercise):
    """The steps of a kexec without teardown, in which the host writes to memory of the next kernel."""

    name, number = "read-a-trace", 1
    title = "Read a trace, and name the step that is wrong"
    aim = "read who acts in a trace and what each step does, and tell harm from its cause"
    minutes, points = 8, 4
    knows = ("notebook 00", "notebook 01: what an area is, and who writes there")
    hints = (
        "Three lanes act: the guest's vCPU, KVM, and the event, which is what happens to the whole machine. Nothing "
        "in steps 1 to 14 is wrong: that is a registration.",
        "The old kernel ends. Look for the step of the event after which its memory belongs to somebody else. That "
        "step does no harm yet.",
        "Harm is a *store* by KVM. Compare the address of each store with the addresses beside the trace, and with who "
        "owns that memory by then.",
    )

    def judge(self, answer: Any) -> Judged:
        """Run the schedule and ask after every step who owns the memory, and where the host has written."""
        chosen = a_dict(answer, "the answer", KEYS)
        steps = list(_steps())
        for key in KEYS:
            number = a_number(chosen[key], f"answer[{key!r}]", least=1, most=len(steps))
            said = _said(steps, key, number)
            if said:
                return Judged(False, said, self.again)
        wrong = steps[chosen["wrong"] - 1].row
        said = f"step {chosen['given_away']} gives the memory away; step {chosen['wrong']} ({wrong.text}) writes there"
        return Judged(True, said, self.again)

    @property
    def again(self) -> str:
        """The call that shows the trace."""
        return f"trace({DESIGN!r}, {EVENT!r}, {list(FEATURES)!r})"


def _steps() -> Iterator[Step]:
    question = Question.of(DESIGN, EVENT, FEATURES, 1)
    machine = Schedule(question.scenario, as_explored(question.event))
    for row in one_after_the_other(question):
        machine.turn(row.turn)
        units = row.own_step.units if isinstance(row.own_step, Reassign) else ()
        given = any(machine.value(OwnerOf(unit)) == "other" for unit in units)
        yield Step(row, given, not FAILURE.holds(machine))


def _said(steps: list[Step], key: str, number: int) -> str:
    """Say what the run shows of a step that is not the one asked for; "" if it is."""
    step = steps[number - 1]
    if key == "given_away":
        return "" if step.given_away else f"step {number} ({step.row.text}) gives no memory to anybody"
    if not step.wrong:
        return f"after step {number} ({step.row.text}) the host has written to no memory but the area's own"
    if steps[number - 2].wrong:
        return f"step {number} ({step.row.text}) is not the first: the host wrote to memory of a new owner before it"
    return ""
