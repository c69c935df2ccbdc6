"""One chosen schedule on a concrete machine: who takes the next step is said from outside, step by step.

This is how a finding of an explorer is confirmed on bytes: the same programs run in the same order, every step
must be the one that was recorded, and the ghosts are kept anew from the accesses that really happen.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from workbench.checking.environment import (
    EVENT,
    cpu_of,
    entry,
    entry_slot,
    environment_actions,
    event_program,
    guest_program,
    is_quiet,
    program_name,
    serves_exit,
    vcpu_slot,
)
from workbench.checking.facts import Facts
from workbench.checking.frozen_clock import FrozenMachine
from workbench.checking.ghosts import GHOST_KINDS, LEFT_BEHIND, OwnerOf, Watch, was_area
from workbench.core.event_steps import (
    AddMemslot,
    Begin,
    DeleteMemslot,
    Each,
    Enter,
    Init,
    KernelGone,
    MoveMemslot,
    NewHost,
    OnHost,
    Pause,
    Reassign,
    Resume,
    Start,
    Stop,
    Wait,
    WaitAll,
    in_order,
)
from workbench.core.host_state import DERIVED, VM, Key
from workbench.core.scenario import Event, Scenario
from workbench.core.step_text import step_text
from workbench.core.steps import GUEST, KERNEL, Exit, Program, Quiesce, Side
from workbench.core.transition import perform
from workbench.core.vcpu import Vcpu
from workbench.engines.simulate.engine import LOW_RAM
from workbench.errors import WorkbenchError

#: Pending in a slot: (side, step) of a vCPU's or host's program, or a step of the event.
Pending = Any


class Turn(NamedTuple):
    """Who takes the next step (a slot, or a happening that starts), and the text of that step."""

    actor: str
    text: str


class Running:
    """A program in a slot: its generator, and the step it is about to take (None when it has ended)."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.pending: Pending = None
        self.advance(None)

    def advance(self, answer: Any) -> None:
        """Give the answer to the step just taken, and find the next one."""
        try:
            self.pending = self.program.send(answer)
        except StopIteration:
            self.pending = None


class WatchedMachine(FrozenMachine):
    """A machine that keeps the ghosts of the slot whose turn it is."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario.cpus, encrypted=scenario.encrypted, seed=scenario.seed)
        self.ghosts: dict[Hashable, Any] = {LEFT_BEHIND: ()}
        self.watch = Watch(scenario, self.ghost, self._put)
        self.slot = EVENT
        self.paused = False

    def ghost(self, name: Hashable) -> Any:
        """Return the value of a note or a ghost."""
        return self.ghosts.get(name) if name in self.ghosts else self.notes.get(name)

    def _put(self, name: Hashable, value: Any) -> None:
        if isinstance(name, Key):
            self.note(name, value)
        else:
            self.ghosts[name] = value

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        data = super().peek(gpa, size, side)
        if side is not GUEST and serves_exit(self.slot):
            private = data is None and self.memory.reachable(gpa, size, GUEST)
            self.watch.handler_read(cpu_of(self.slot), gpa, size, data, private)
        return data

    def poke(self, gpa: int, data: bytes, side: Side) -> bool:
        done = super().poke(gpa, data, side)
        if done and side is not GUEST:
            self.watch.host_wrote(gpa, len(data), restoring=self.slot == EVENT and self.paused)
        return done

    def set(self, key: Hashable, value: Any) -> None:
        super().set(key, value)
        if isinstance(key, Key) and key.kind == "area" and value is not None:
            self.note(was_area(key), value)

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        self.watch.exited(cpu, step.number)
        return super().leave(cpu, step)


class Schedule(Facts):
    """A machine under a scenario and an event, whose turns are given; also the facts of its state."""

    def __init__(self, scenario: Scenario, event: Event) -> None:
        self.scenario = event.adapt(scenario)
        self.machine = WatchedMachine(self.scenario)
        self.machine.memory.add(0, LOW_RAM)
        for generation in (0, 1):
            self.machine.memory.add(self.scenario.addresses.slot(generation), self.scenario.addresses.slot_size)
        self._happenings = environment_actions(self.scenario)
        self._starts: dict[str, Start] = {}
        self._running: dict[str, Running] = {}
        for step in in_order(event.setup(self.scenario)):
            self._begin(self._known(step))
        self._running[EVENT] = Running(event_program(self.scenario, event.happen(self.scenario), self._known))

    # -- taking turns ----------------------------------------------------------------------------------

    def pending(self, actor: str) -> Pending:
        """Return the step that ``actor`` would take; None if it has none."""
        running = self._running.get(actor)
        return None if running is None else running.pending

    def play(self, turns: Iterable[Turn]) -> None:
        """Take all turns; raise WorkbenchError at the first that cannot be taken, or is another step."""
        for number, (actor, text) in enumerate(turns, 1):
            try:
                self.turn(actor, text)
            except WorkbenchError as error:
                raise WorkbenchError(f"turn {number}: {error}") from error

    def turn(self, actor: str, text: str) -> None:
        """Let ``actor`` take its next step, which must be called ``text``."""
        self.machine.slot = actor
        happening = self._happenings.get(actor)
        if happening is not None:
            if self.pending(happening.slot) is not None and happening.slot != entry_slot(happening.cpu):
                raise WorkbenchError(f"{actor}: vCPU {happening.cpu} is busy")
            self._running[happening.slot] = Running(happening.program())
            return
        pending = self.pending(actor)
        if pending is None:
            raise WorkbenchError(f"{actor} has nothing to do; recorded was: {text}")
        has_choice = type(pending) is Each
        offered = pending.next_steps() if has_choice else (pending,)
        step = next((step for step in offered if step_text(step, self.descriptor) == text), None)
        if step is None:
            said = step_text(pending, self.descriptor)
            raise WorkbenchError(f"{actor} is about to {said}; recorded was: {text}")
        running = self._running[actor]
        answer = self._perform(actor, step)
        if self._running.get(actor) is running:
            running.advance(step if has_choice else answer)

    @property
    def descriptor(self) -> Any:
        """The layout of the guest's descriptor, None without one."""
        struct = self.scenario.protocol.descriptor
        return None if struct is None else struct.on(self.scenario.abi)

    def _perform(self, actor: str, pending: Pending) -> Any:
        if type(pending) is not tuple:
            return _VM_STEPS[type(pending)](self, pending)
        side, step = pending
        cpu = cpu_of(actor)
        if side is GUEST and actor != EVENT:
            if self.machine.paused or self.pending(entry_slot(cpu)) is not None:
                raise WorkbenchError(f"vCPU {cpu} is not in the guest")
            self.machine.watch.in_guest(cpu)
        if type(step) is Quiesce:
            self._others_are_quiet(cpu, actor)
        return perform(self.machine, cpu, side, step)

    def _others_are_quiet(self, cpu: int, actor: str) -> None:
        for other in range(self.scenario.vcpus):
            is_busy = not all(is_quiet(self.pending(slot)) for slot in (entry_slot(other), vcpu_slot(other)))
            if is_busy and (other != cpu or actor == EVENT):
                raise WorkbenchError(f"vCPU {other} is being served, and {actor} waits until it is not")

    # -- steps of events -------------------------------------------------------------------------------

    def _known(self, start: Start) -> Begin:
        name = program_name(start)
        self._starts[name] = start
        return Begin(start.cpu, name)

    def _begin(self, step: Begin) -> None:
        self._at_boundary(step.cpu)
        self._running[vcpu_slot(step.cpu)] = Running(guest_program(self.scenario, self._starts[step.program]))

    def _at_boundary(self, cpu: int) -> None:
        pending = self.pending(vcpu_slot(cpu))
        if self.pending(entry_slot(cpu)) is not None or (pending is not None and pending[0] is not GUEST):
            raise WorkbenchError(f"vCPU {cpu} is not at an instruction boundary of its guest")

    def _stop(self, cpu: int) -> None:
        self._at_boundary(cpu)
        self._running.pop(vcpu_slot(cpu), None)

    def _wait(self, *cpus: int) -> None:
        for cpu in cpus:
            if self.pending(vcpu_slot(cpu)) is not None:
                raise WorkbenchError(f"vCPU {cpu} has not finished")

    def _enter(self, step: Enter) -> None:
        self._at_boundary(step.cpu)
        if self.machine.cpus[step.cpu].host.knows_protocol:
            self._running[entry_slot(step.cpu)] = Running(entry(self.scenario, step.cpu).program())

    def _init(self, step: Init) -> bool:
        self._stop(step.cpu)
        return self.machine.cpus[step.cpu].host.knows_protocol

    def _pause(self, step: Pause) -> None:
        for cpu in range(self.scenario.vcpus):
            self._at_boundary(cpu)
        self.machine.paused = True

    def _resume(self, step: Resume) -> None:
        self.machine.paused = False
        self.machine.watch.goes_on(self.held())

    def _new_host(self, step: NewHost) -> None:
        self.machine.watch.left_host(self.held())
        self.machine.entries.clear()
        for index, cpu in self.machine.cpus.items():
            self.machine.cpus[index] = cpu.but(host=replace(cpu.host, **dict(step.changes)))

    def _add_slot(self, step: AddMemslot) -> None:
        self.machine.memory.add(step.gpa, step.size, readonly=step.readonly)

    def _disown(self, step: Reassign) -> None:
        for unit in step.units:
            self.machine.ghosts[OwnerOf(unit)] = "other"

    def _forget(self, step: KernelGone) -> None:
        for cpu in step.cpus:
            self._stop(cpu)
        gone = {*step.cpus, VM} if 0 in step.cpus else set(step.cpus)
        for key in list(self.machine.notes):
            if isinstance(key, Key) and key.cpu in gone and key.kind in GHOST_KINDS:
                del self.machine.notes[key]

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


_VM_STEPS: Mapping[type, Callable[[Schedule, Any], Any]] = {
    Begin: Schedule._begin,
    Wait: lambda schedule, step: schedule._wait(step.cpu),
    WaitAll: lambda schedule, step: schedule._wait(*step.cpus),
    Stop: lambda schedule, step: schedule._stop(step.cpu),
    Enter: Schedule._enter,
    Init: Schedule._init,
    Pause: Schedule._pause,
    Resume: Schedule._resume,
    NewHost: Schedule._new_host,
    OnHost: lambda schedule, step: None,
    AddMemslot: Schedule._add_slot,
    DeleteMemslot: lambda schedule, step: schedule.machine.memory.delete(step.gpa),
    MoveMemslot: lambda schedule, step: schedule.machine.memory.move(step.gpa, step.to),
    Reassign: Schedule._disown,
    KernelGone: Schedule._forget,
}
