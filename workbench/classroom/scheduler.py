"""The student as the scheduler: whoever is picked takes one step; the others wait.

    run = Scheduler(Question.of("generic", "descriptor-race", ["steal_time"], 2))
    run.take("vcpu0")                    # one atomic step of vCPU 0, or of the host on its behalf
    run.may()                            # who may step now, and what each would do

The steps are those of the simulator and the explorer, taken on the bytes of a machine
(:class:`workbench.engines.simulate.schedule.Schedule`). A pick names who steps:

* ``vcpu0``, ``vcpu1`` ...: that vCPU's program, with the handlers of its exits;
* ``event``: the lifecycle event; ``event 1`` if it may go on with any of several vCPUs;
* ``entry0``, ``entry1`` ...: the host delivers the updates that are due for that vCPU; the first pick begins it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from workbench.checking.environment import deliveries
from workbench.checking.failures import Failure
from workbench.core.event_steps import Each
from workbench.core.slots import EVENT, VCPU, Slot, entry_slot, vcpu_slot
from workbench.engines.simulate.schedule import Schedule
from workbench.errors import WorkbenchError, not_known
from workbench.measure.exploration.ending import ending_of
from workbench.measure.exploration.explore import Question, TraceRow, as_explored
from workbench.measure.exploration.recording import Recording, recorded
from workbench.present.web.stepper import trace_text

#: A schedule of a student's that takes more steps than this is not run to its end.
MOST_PICKS = 500


class Choice(NamedTuple):
    """Who may be picked: a name, the step that it would take, and why it has to wait ("" if it need not)."""

    pick: str
    row: TraceRow
    waits: str = ""

    @property
    def said(self) -> str:
        """What it would do, and who would do it if that is the host: "KVM: load kvm_memory_area at 0x101000"."""
        row = self.row
        if not isinstance(row.actor, Slot):
            return f"KVM begins: {row.text}"
        host = {"kernel": "KVM: ", "user": "VMM: "}.get(row.side, "")
        return f"{host}{row.text}"


class Scheduler:
    """A machine under a question's design and event, which takes the steps that are picked."""

    def __init__(self, question: Question, picks: Iterable[str] = ()) -> None:
        question.check()
        self.question = question
        self.machine = Schedule(question.scenario, as_explored(question.event))
        self.picks: list[str] = []
        self.rows: list[TraceRow] = []
        scenario = self.machine.scenario
        cpus = range(scenario.vcpus)
        self._slots = {str(slot): slot for slot in (*map(vcpu_slot, cpus), EVENT, *map(entry_slot, cpus))}
        self._begins = {str(one) if one.feature else str(one.slot): one for one in deliveries(scenario)}
        self.take_all(tuple(picks))

    def take_all(self, picks: Sequence[Any]) -> None:
        """Take the steps of all ``picks``; raise WorkbenchError at the first that cannot be taken, or for too many."""
        if len(picks) > MOST_PICKS:
            raise WorkbenchError(f"the schedule has {len(picks)} steps; {MOST_PICKS} are more than enough")
        for pick in picks:
            self.take(pick)

    def take(self, pick: Any) -> TraceRow:
        """Let the one of this name take its next step; raise WorkbenchError, with who may step, if it cannot."""
        number = len(self.picks) + 1
        row = self._offered().get(pick) if isinstance(pick, str) else None
        if row is None:
            raise self._refused(pick, number)
        try:
            self.machine.turn(row.turn)
        except WorkbenchError as error:
            raise WorkbenchError(f"step {number}: {pick} has to wait, because {error}; {self._who()}") from None
        self.picks.append(pick)
        self.rows.append(row)
        return row

    def may(self) -> list[Choice]:
        """Return everyone who has a step to take, and why some of them have to wait."""
        return [Choice(pick, row, self._waits(row)) for pick, row in self._offered().items()]

    def back(self) -> Scheduler:
        """Return the machine as it was before the last step."""
        return Scheduler(self.question, self.picks[:-1])

    def recording(self, failure: Failure | None = None) -> Recording:
        """Return the steps taken, with what each changed; ``failure``: say so at the end, if it has come about."""
        if failure is None or failure.holds(self.machine):
            return recorded(self.question, self.rows)
        return recorded(self.question, self.rows, failure, ending_of(self.question, self.rows, failure))

    def text(self, failure: Failure | None = None) -> str:
        """Return the steps taken, as a diagram of 72 columns."""
        return trace_text(self.recording(failure)) if self.rows else "no step has been taken\n"

    # -- what may be picked ----------------------------------------------------------------------------

    def _offered(self) -> dict[str, TraceRow]:
        """Everyone who has a step, by the name to pick, with the step."""
        found: dict[str, TraceRow] = {}
        for name, slot in self._slots.items():
            pending = self.machine.pending(slot)
            for step in pending.next_steps() if isinstance(pending, Each) else (pending,):
                if step is not None:
                    pick = f"{name} {step.cpu}" if isinstance(pending, Each) else name
                    found[pick] = TraceRow(slot, step, (), self.machine.scenario.descriptor_in(step))
        for name, action in self._begins.items():
            if name not in found and self.machine.pending(action.slot) is None and self._is_due(action):
                found[name] = TraceRow(action, action)
        return found

    def _is_due(self, action: Any) -> bool:
        """Tell whether the action would write anything: an area is registered for it."""
        return any(self.machine.value(key) is not None for key in action.needs(self.machine.scenario))

    def _waits(self, row: TraceRow) -> str:
        """Try the step on a machine that has taken the same steps before; return why it cannot be taken now."""
        again = Scheduler(self.question, self.picks)
        try:
            again.machine.turn(row.turn)
        except WorkbenchError as error:
            return str(error)
        return ""

    def _refused(self, pick: Any, number: int) -> WorkbenchError:
        known = [*self._slots, *(name for name in self._begins if name not in self._slots)]
        if isinstance(pick, str) and pick in self._slots:
            what = "has nothing to do" if self._slots[pick].role == VCPU else "has no step now"
            return WorkbenchError(f"step {number}: {pick} {what}; {self._who()}")
        return not_known(f"step {number}: {pick!r} is nobody who steps", str(pick), known, lead="those who step")

    def _who(self) -> str:
        able = [f"{one.pick} ({one.said})" for one in self.may() if not one.waits]
        return f"now may step: {', '.join(able)}" if able else "nobody may step: the run is over"


__all__ = ["Choice", "Scheduler"]
