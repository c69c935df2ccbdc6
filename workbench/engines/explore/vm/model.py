"""Builds the model of a scenario under an event: slots for vCPUs, guest entries and the event, and properties.

The event may happen at any time: it does not wait until the guest has booted. Each action of the environment
(``workbench.checking.environment``) is a rule, taken as often as :class:`Bounds` allows. An update stops the guest
code of its vCPU until it ends; all other slots continue.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.checking.content import CONTENT_GHOSTS, OF_A_VCPU
from workbench.checking.environment import (
    ENTRY,
    EnvironmentAction,
    deliveries,
    event_handlings,
    event_program,
    readings,
)
from workbench.checking.ghosts import GHOSTS, LEFT_BEHIND, OwnerOf, fetched, was_area
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Begin, Each, Start, in_order
from workbench.core.host_state import Key, area
from workbench.core.machine_transition import NotNow, perform_on_machine
from workbench.core.memory import PAGE_SHIFT
from workbench.core.rules.place import mutable_in
from workbench.core.scenario import Scenario, asked, believes
from workbench.core.slots import EVENT, Slot, entry_slot, vcpu_slot
from workbench.core.steps import GUEST
from workbench.core.steps import Program as Steps
from workbench.core.transition import perform
from workbench.engines.explore.model import BLOCKED, Model, Property, Rule
from workbench.engines.explore.positions.positions import Name, Program
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.cells import MemoryCell
from workbench.engines.explore.vm.machine import ExploredMachine
from workbench.engines.explore.vm.sending import SENDING
from workbench.engines.explore.vm.variables import (
    MEMSLOTS,
    MOVED,
    PAUSED,
    READS_LEFT,
    Behind,
    Covered,
    Dirty,
    Flag,
    Shared,
    Under,
    record,
    stopped,
    takes_left,
    updates_left,
)
from workbench.engines.explore.vm.world import EventWorld, ViewWorld
from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Bounds:
    """How often each action of the environment may happen; without a bound, it could happen for ever.

    ``updates``: for each vCPU, payload deliveries beyond those the event asks for, and also the number of events
    that it handles; ``reads``: payload reads by another vCPU, all vCPUs together.
    """

    updates: int = 1
    reads: int = 0

    def __str__(self) -> str:
        """Say how much may happen; no search tells what more would do."""
        updates = f"at most {self.updates} payload update" if self.updates else "no payload update"
        read = f"; at most {self.reads} read by other vCPUs" if self.reads else ""
        return f"for each vCPU, {updates}{'s' if self.updates > 1 else ''} besides the event's own{read}"


@dataclass
class Merging:
    """Which vCPUs were treated as interchangeable (none if fewer than two), and why others were not."""

    cpus: tuple[int, ...] = ()
    reasons: list[str] = field(default_factory=list)


class MachineModel(ExploredMachine):
    """The model of one scenario under one event; :meth:`model` rebuilds it with the variables found so far."""

    def __init__(
        self,
        scenario: Scenario,
        event: Event,
        properties: Callable[["MachineModel"], Sequence[Property]] = lambda model: (),
        bounds: Bounds = Bounds(),
    ) -> None:
        super().__init__(scenario, event)
        self.bounds = bounds
        self.merging = Merging()
        #: Wraps the event's steps while the machine is being discovered, to observe them; None: not observed.
        self.noting: Callable[[Steps], Steps] | None = None
        self._properties = properties
        for owner, feature in self._areas():
            served = area(owner, feature.name)
            names = (served, was_area(served), believes(owner, feature.name), asked(owner, feature.name))
            self.cells.names.update(dict.fromkeys(names))

    def _areas(self) -> Iterator[tuple[int, Any]]:
        """Every (owner, feature) that the protocol can express."""
        for feature in self.scenario.supported():
            for owner in self.scenario.owners(feature):
                yield owner, feature

    def _event_program(self) -> Steps:
        def begin(start: Start) -> Begin:
            return Begin(start.cpu, self.guest_program(start))

        steps = self.event.happen(self.scenario)
        if self.noting is not None and self.cells.is_learning:
            steps = self.noting(steps)
        return event_program(self.scenario, steps, begin)

    def model(self) -> Model:
        """Return the model, with the cells and names known so far."""
        slots: dict[Slot, Name | None] = {vcpu_slot(cpu): None for cpu in range(self.scenario.vcpus)}
        for step in in_order(self.event.setup(self.scenario)):
            if not isinstance(step, Start):
                raise WorkbenchError(f"event {self.event.name}: setup yielded {step!r}; the explorer allows only Start")
            # If a vCPU starts twice before the event, only the later program counts, as if the first had ended.
            slots[vcpu_slot(step.cpu)] = self.guest_program(step)
        for cpu in range(self.scenario.vcpus):
            self.entry_program(cpu)
            slots[entry_slot(cpu)] = None
        self.programs[EVENT] = Program(EVENT, self._event_program)
        slots[EVENT] = EVENT
        rules = []
        if self.bounds.updates:
            rules += [self._delivery(action) for action in deliveries(self.scenario)]
            rules += [self._reading(action, takes_left(action.cpu)) for action in event_handlings(self.scenario)]
        if self.bounds.reads:
            rules += [self._reading(action, READS_LEFT) for action in readings(self.scenario)]
        return Model(
            variables=self._variables(),
            slots=slots,
            programs=self.programs,
            semantics=self._step,
            rules=rules,
            properties=tuple(self._properties(self)),
            default=self._initial,
            alternatives=_alternatives,
            choices={EVENT: self.scenario.vcpus},
            objection=mutable_in,
        )

    def _variables(self) -> dict[Hashable, Hashable]:
        variables: dict[Hashable, Hashable] = {name: self._initial(name) for name in self.met}
        variables |= {MEMSLOTS: self.scenario.memslots(), PAUSED: False, MOVED: False, READS_LEFT: self.bounds.reads}
        for cpu in range(self.scenario.vcpus):
            variables[record(cpu)] = self.scenario.cpu(cpu)
            variables[updates_left(cpu)] = variables[takes_left(cpu)] = self.bounds.updates
            variables[stopped(cpu)] = False
            variables[fetched(cpu)] = ()
            variables.update({ghost(cpu): () for ghost in OF_A_VCPU})
        variables.update(dict.fromkeys(GHOSTS, False))
        variables[LEFT_BEHIND] = ()
        variables.update(dict.fromkeys(CONTENT_GHOSTS, ()))
        variables |= {name: False if isinstance(name, Covered) else None for name in self.cells.names}
        return variables

    def _initial(self, var: Hashable) -> Hashable:
        if isinstance(var, MemoryCell | Under):
            return 0
        if isinstance(var, Shared):
            return self.scenario.addresses.belongs_to_host(var.frame << PAGE_SHIFT)
        return None if isinstance(var, Key | OwnerOf | Behind | Dirty) or var == SENDING else False

    # -- what a step does ----------------------------------------------------------------------------------

    def _step(self, slot: Slot, step: Any, view: View) -> Any:
        if type(step) is not tuple:
            answer = perform_on_machine(EventWorld(self, view), step)
            return BLOCKED if isinstance(answer, NotNow) else answer
        side, inner = step
        world = ViewWorld(self, view, slot, slot == EVENT and view[PAUSED])
        if side is GUEST and slot != EVENT:
            if view[PAUSED] or not view.idle(entry_slot(slot.cpu)):
                return BLOCKED
            world.watch.in_guest(slot.cpu)
        return perform(world, slot.cpu, side, inner)

    def _delivery(self, action: EnvironmentAction) -> Rule:
        cpu, name, needs = action.cpu, self.action_program(action), action.needs(self.scenario)
        left, slot = updates_left(cpu), action.slot

        def starts(view: View) -> bool | None:
            if not view[left] or view[PAUSED] or all(view.ask(key, _is_absent) for key in needs):
                return False
            if not self.at_boundary(view, cpu):
                return False
            view[left] = view[left] - 1
            if action.kind == ENTRY:
                self.watch(view).enters(cpu)
            view.start(slot, name)
            return None

        return Rule(name, starts)

    def _reading(self, action: EnvironmentAction, budget: Flag) -> Rule:
        cpu, name, (belief,) = action.cpu, self.action_program(action), action.needs(self.scenario)
        gpa, slot = action.gpa(self.scenario), action.slot

        def starts(view: View) -> bool | None:
            left = view[budget]
            if not left or view[PAUSED] or view[belief] != gpa:
                return False
            if view[stopped(cpu)] or not view.idle(slot) or not view.idle(entry_slot(cpu)):
                return False
            view[budget] = left - 1
            view.start(slot, name)
            return None

        return Rule(name, starts)


def _alternatives(step: Any) -> tuple[Any, ...] | None:
    return step.next_steps() if type(step) is Each else None


def _is_absent(value: Any) -> bool:
    return value is None
