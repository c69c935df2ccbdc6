"""Runs a given schedule on a concrete machine: the caller chooses which slot takes each next step.

It confirms a finding of the explorer on concrete memory: the same programs run in the same order, every step
must equal the recorded one, and the ghosts are computed again from the accesses made.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, NamedTuple

from workbench.checking.environment import (
    ENTRY,
    EnvironmentAction,
    entry,
    environment_actions,
    event_program,
    guest_program,
    is_quiet,
    program_name,
)
from workbench.checking.facts import Facts
from workbench.checking.ghosts import GHOST_KINDS, OwnerOf
from workbench.core.address_map import Unit
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Begin, Each, OnHost, Start, in_order
from workbench.core.host_state import DERIVED, Key
from workbench.core.machine_transition import NotNow, perform_on_machine
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, ProgramName, Slot, entry_slot, vcpu_slot
from workbench.core.step_record import Record, record
from workbench.core.step_text import step_text
from workbench.core.steps import GUEST, KERNEL, Program, Quiesce
from workbench.core.transition import perform
from workbench.core.vcpu import Vcpu
from workbench.engines.simulate.on_machine import OnMachine
from workbench.engines.simulate.watched_machine import WatchedMachine
from workbench.errors import WorkbenchError

#: Pending in a slot: (side, step) of a vCPU's or host's program, or a step of the event.
Pending = Any


class Turn(NamedTuple):
    """The record of one step, and of the slot or the action of the environment that takes it."""

    actor: Record
    step: Record

    @classmethod
    def of(cls, actor: Slot | EnvironmentAction, step: Any) -> "Turn":
        """Return the turn in which ``actor`` takes ``step``; for an action of the environment, the step is None."""
        return cls(record(actor), None if isinstance(actor, EnvironmentAction) else record(step))


class Running:
    """A program in a slot: its generator, and the step it is about to take (None when it has ended)."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.pending: Pending = None
        self.advance(None)

    def advance(self, answer: Any) -> None:
        """Send the answer to the step just taken, and fetch the next step."""
        try:
            self.pending = self.program.send(answer)
        except StopIteration:
            self.pending = None


class Schedule(OnMachine, Facts):
    """A machine under a scenario and an event, run turn by turn; also the facts of its state."""

    def __init__(self, scenario: Scenario, event: Event) -> None:
        self.scenario = event.adapt(scenario)
        self.machine: WatchedMachine = WatchedMachine(self.scenario)
        self._starts: dict[ProgramName, Start] = {}
        self._running: dict[Slot, Running] = {}
        self._stopped: set[int] = set()  # vCPUs that run no guest code until one is started on them
        self._actions = {record(action): action for action in environment_actions(self.scenario)}
        cpus = range(self.scenario.vcpus)
        slots = (EVENT, *map(vcpu_slot, cpus), *map(entry_slot, cpus))
        self._slots = {record(slot): slot for slot in slots}
        for step in in_order(event.setup(self.scenario)):
            perform_on_machine(self, self._known(step))
        self._running[EVENT] = Running(event_program(self.scenario, event.happen(self.scenario), self._known))

    # -- taking turns ----------------------------------------------------------------------------------

    def pending(self, slot: Slot) -> Pending:
        """Return the step that the program in ``slot`` would take; None if it has none."""
        running = self._running.get(slot)
        return None if running is None else running.pending

    def play(self, turns: Iterable[Turn]) -> None:
        """Take all turns; raise WorkbenchError at the first that cannot be taken or differs from the recorded step."""
        for number, turn in enumerate(turns, 1):
            try:
                self.turn(turn)
            except WorkbenchError as error:
                raise WorkbenchError(f"turn {number}: {error}") from error

    def turn(self, turn: Turn) -> None:
        """Let an action of the environment begin, or a slot take its next step, which must be the recorded one."""
        if action := self._actions.get(turn.actor):
            self._begin_action(action)
        elif slot := self._slots.get(turn.actor):
            self._take(slot, turn.step)
        else:
            raise WorkbenchError(f"no slot or action {turn.actor!r} in this scenario of {self.scenario.vcpus} vCPUs")

    def _begin_action(self, action: EnvironmentAction) -> None:
        if self.pending(action.slot) is not None and action.slot.serves_exits:
            raise WorkbenchError(f"{action}: vCPU {action.cpu} is busy")
        if action.cpu in self._stopped and action.slot.serves_exits:
            raise WorkbenchError(f"{action}: vCPU {action.cpu} is stopped")
        if action.kind == ENTRY:
            self.machine.watch.enters(action.cpu)
        self._running[action.slot] = Running(action.program(self.scenario))

    def _take(self, slot: Slot, recorded: Record) -> None:
        pending = self.pending(slot)
        if pending is None:
            raise WorkbenchError(f"{slot} has nothing to do; recorded was: {recorded!r}")
        has_choice = type(pending) is Each
        offered = pending.next_steps() if has_choice else (pending,)
        step = next((step for step in offered if record(step) == recorded), None)
        if step is None:
            said = step_text(pending, self.scenario.descriptor_in(pending))
            raise WorkbenchError(f"{slot} is about to {said}; recorded was: {recorded!r}")
        running = self._running[slot]
        self.machine.slot = slot
        answer = self._perform(slot, step)
        if self._running.get(slot) is running:
            running.advance(step if has_choice else answer)

    def _perform(self, slot: Slot, pending: Pending) -> Any:
        if type(pending) is not tuple:
            answer = perform_on_machine(self, pending)
            if isinstance(answer, NotNow):
                raise WorkbenchError(answer.why)
            return answer
        side, step = pending
        cpu = slot.cpu
        if side is GUEST and slot != EVENT:
            if self.machine.paused or self.pending(entry_slot(cpu)) is not None:
                raise WorkbenchError(f"vCPU {cpu} is not in the guest")
            self.machine.watch.in_guest(cpu)
        if type(step) is Quiesce:
            self._others_are_quiet(cpu, slot)
        return perform(self.machine, cpu, side, step)

    def _others_are_quiet(self, cpu: int, slot: Slot) -> None:
        for other in range(self.scenario.vcpus):
            is_busy = not all(is_quiet(self.pending(own)) for own in (entry_slot(other), vcpu_slot(other)))
            if is_busy and (other != cpu or slot == EVENT):
                raise WorkbenchError(f"vCPU {other} is being served, and {slot} waits until it is not")

    # -- what a step of the event acts on --------------------------------------------------------------

    def _known(self, start: Start) -> Begin:
        name = program_name(start)
        self._starts[name] = start
        return Begin(start.cpu, name)

    def at_boundary(self, cpu: int) -> bool:
        pending = self.pending(vcpu_slot(cpu))
        return self.pending(entry_slot(cpu)) is None and (pending is None or pending[0] is GUEST)

    def has_finished(self, cpu: int) -> bool:
        return self.pending(vcpu_slot(cpu)) is None

    def begin(self, step: Begin) -> None:
        self._stopped.discard(step.cpu)
        self._running[vcpu_slot(step.cpu)] = Running(guest_program(self.scenario, self._starts[step.program]))

    def halt(self, cpu: int, *, for_good: bool) -> None:
        self._running.pop(vcpu_slot(cpu), None)
        if for_good:
            self._stopped.add(cpu)

    def enter(self, cpu: int) -> None:
        self.machine.watch.enters(cpu)
        self._running[entry_slot(cpu)] = Running(entry(cpu).program(self.scenario))

    def reset(self, cpu: int) -> Vcpu | None:
        """Return the vCPU's record, None if its host has no protocol; INIT's protocol part follows as event steps."""
        record = self.machine.cpus[cpu]
        return record if record.host.knows_protocol else None

    def pause(self) -> None:
        self.machine.paused = True

    def resume(self) -> None:
        self.machine.paused = False
        self.machine.watch.goes_on(self.held())

    def on_host(self, step: OnHost) -> None:
        """Do nothing: the host program's steps follow as steps of the event."""

    def leave_host(self) -> None:
        self.machine.watch.left_host(self.held())
        self.machine.entries.clear()
        self.machine.memory.uncover_all()

    def end(self) -> None:
        self.leave_host()

    def arrive(self) -> None:
        super().arrive()
        self.machine.moved = True
        self.machine.watch.new_host()

    def memory_arrived(self, lost: list[int], host_wrote: bool) -> None:
        self.machine.watch.memory_arrived(lost, host_wrote)

    def reassign(self, unit: Unit) -> None:
        self.machine.ghosts[OwnerOf(unit)] = "other"
        self.machine.watch.given_away(unit, self.machine.memory.covered())

    # -- facts -----------------------------------------------------------------------------------------

    def value(self, name: Hashable) -> Any:
        if isinstance(name, Key) and name.kind not in GHOST_KINDS:
            return self.machine.entries.get(name)
        return self.machine.ghost(name)

    def at_rest(self) -> bool:
        return not self.machine.paused and all(running.pending is None for running in self._running.values())

    def reachable(self, gpa: int, size: int) -> bool:
        return self.machine.memory.reachable(gpa, size, KERNEL, write=True)

    def content(self, gpa: int, size: int) -> Iterator[tuple[int, bytes]]:
        data = self.machine.memory.peek(gpa, size, GUEST)
        if data is not None:
            yield 0, data

    def held(self) -> Iterator[tuple[Key, Any]]:
        return ((key, value) for key, value in self.machine.entries.items() if isinstance(key, Key))

    def names(self) -> int:
        return sum(1 for key, _ in self.held() if key.kind not in DERIVED)
