"""From a scenario and an event to a model: slots for vCPUs, entries and the event; properties on top.

The event strikes at any time: it does not wait until the guest has booted. What happens by itself
(``workbench.checking.environment``) is a rule for each happening, taken as often as :class:`Bounds` allows: an update
stops the vCPU's own guest code meanwhile, everybody else goes on.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.checking.environment import (
    EVENT,
    EnvironmentAction,
    cpu_of,
    deliveries,
    entry,
    entry_slot,
    event_handlings,
    event_program,
    guest_program,
    program_name,
    readings,
    vcpu_slot,
)
from workbench.checking.ghosts import GHOST_KINDS, GHOSTS, LEFT_BEHIND, OwnerOf, fetched, was_area
from workbench.core.event_steps import Begin, Each, Start, in_order
from workbench.core.host_state import Key, area
from workbench.core.scenario import Event, Scenario, asked, believes
from workbench.core.steps import GUEST
from workbench.core.steps import Program as Steps
from workbench.core.transition import perform
from workbench.engines.explore.model import BLOCKED, Model, Program, Property, Rule
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.cells import MemoryCell, MemoryCells
from workbench.engines.explore.vm.eventsteps import EVENT_STEPS
from workbench.engines.explore.vm.symmetry.interchange import Marks, Merging
from workbench.engines.explore.vm.variables import (
    MEMSLOTS,
    PAUSED,
    READS_LEFT,
    Flag,
    Shared,
    in_guest,
    record,
    stopped,
    takes_left,
    updates_left,
)
from workbench.engines.explore.vm.world import ViewWorld, pages
from workbench.errors import WorkbenchError

LOW_RAM = (0, 0x10_0000, False)


@dataclass(frozen=True)
class Bounds:
    """How often things may happen that could happen for ever.

    ``updates``: payload deliveries for each vCPU, beyond those the event asks for, and as many events that it
    handles; ``reads``: payloads read by another vCPU, all together.
    """

    updates: int = 1
    reads: int = 0


class MachineModel:
    """The model of one scenario under one event; :meth:`model` builds it anew with what was learnt so far."""

    def __init__(
        self,
        scenario: Scenario,
        event: Event,
        properties: Callable[["MachineModel"], Sequence[Property]] = lambda model: (),
        bounds: Bounds = Bounds(),
    ) -> None:
        self.scenario = event.adapt(scenario)
        self.protocol = self.scenario.protocol
        self.event = event
        self.bounds = bounds
        self.cells = MemoryCells()
        self.met: dict[Hashable, None] = {}  #: further variables, met on the way; declared from then on
        self.marks = Marks(self.scenario.vcpus)
        self.merging = Merging()
        self.programs: dict[str, Program] = {}
        self._starts: dict[str, Any] = {}
        self._properties = properties
        for owner, feature in self.areas():
            served = area(owner, feature.name)
            names = (served, was_area(served), believes(owner, feature.name), asked(owner, feature.name))
            self.cells.names.update(dict.fromkeys(names))

    def areas(self) -> Iterator[tuple[int, Any]]:
        """Every (owner, feature) that the protocol can express."""
        for feature in self.scenario.supported():
            for owner in self.scenario.owners(feature):
                yield owner, feature

    # -- programs --------------------------------------------------------------------------------------

    def guest_program(self, start: Start) -> str:
        """Return the name of the program that a Start step means, making it known if it is new."""
        name = program_name(start)
        known = self._starts.setdefault(name, _identity(start))
        if known != _identity(start):
            raise WorkbenchError(f"event {self.event.name} starts two different programs called {name!r}")
        self.programs.setdefault(name, Program(name, lambda: guest_program(self.scenario, start)))
        return name

    def happening(self, happening: EnvironmentAction) -> str:
        """Return the name of the program of something that happens by itself, making it known if it is new."""
        self.programs.setdefault(happening.name, Program(happening.name, happening.program))
        return happening.name

    def entry_program(self, cpu: int) -> str:
        """Return the name of the program that delivers what is due when ``cpu`` enters the guest."""
        return self.happening(entry(self.scenario, cpu))

    def _event_program(self) -> Steps:
        def begin(start: Start) -> Begin:
            return Begin(start.cpu, self.guest_program(start))

        strike = self.event.happen(self.scenario)
        return event_program(self.scenario, self.marks.noting(strike) if self.cells.is_learning else strike, begin)

    # -- the model ---------------------------------------------------------------------------------------

    def model(self) -> Model:
        """Return the model, with the cells and names known so far."""
        slots: dict[str, str | None] = {vcpu_slot(cpu): None for cpu in range(self.scenario.vcpus)}
        for step in in_order(self.event.setup(self.scenario)):
            if not isinstance(step, Start):
                raise WorkbenchError(f"event {self.event.name}: setup yielded {step!r}; the explorer allows only Start")
            # A vCPU that is to start twice before the event starts the later program, as if the first was done.
            slots[vcpu_slot(step.cpu)] = self.guest_program(step)
        for cpu in range(self.scenario.vcpus):
            self.entry_program(cpu)
            slots[entry_slot(cpu)] = None
        self.programs[EVENT] = Program(EVENT, self._event_program)
        slots[EVENT] = EVENT
        rules = []
        if self.bounds.updates:
            rules += [self._delivery(happening) for happening in deliveries(self.scenario)]
            rules += [self._reading(one, takes_left(one.cpu)) for one in event_handlings(self.scenario)]
        if self.bounds.reads:
            rules += [self._reading(happening, READS_LEFT) for happening in readings(self.scenario)]
        return Model(
            variables=self._variables(),
            slots=slots,
            programs=self.programs,
            semantics=self._step,
            rules=rules,
            properties=tuple(self._properties(self)),
            default=_initial,
            alternatives=_alternatives,
            choices={EVENT: self.scenario.vcpus},
        )

    def _variables(self) -> dict[Hashable, Hashable]:
        addresses = self.scenario.addresses
        slots = (LOW_RAM, *((addresses.slot(g), addresses.slot_size, False) for g in (0, 1)))
        variables: dict[Hashable, Hashable] = {name: _initial(name) for name in self.met}
        variables |= {MEMSLOTS: slots, PAUSED: False, READS_LEFT: self.bounds.reads}
        for cpu in range(self.scenario.vcpus):
            variables[record(cpu)] = self.scenario.cpu(cpu)
            variables[updates_left(cpu)] = variables[takes_left(cpu)] = self.bounds.updates
            variables[stopped(cpu)] = False
            variables[fetched(cpu)] = ()
        variables.update(dict.fromkeys(GHOSTS, False))
        variables[LEFT_BEHIND] = ()
        variables.update(dict.fromkeys(self.cells.names))
        return variables

    # -- what a step does ----------------------------------------------------------------------------------

    def _step(self, slot: str, step: Any, view: View) -> Any:
        if type(step) is not tuple:
            return EVENT_STEPS[type(step)](self, view, step)
        side, inner = step
        cpu = cpu_of(slot)
        world = ViewWorld(self.scenario, self.cells, view, slot, slot == EVENT and view[PAUSED])
        if side is GUEST and slot != EVENT:
            if view[PAUSED] or not view.idle(entry_slot(cpu)):
                return BLOCKED
            world.watch.in_guest(cpu)
        return perform(world, cpu, side, inner)

    def _delivery(self, happening: EnvironmentAction) -> Rule:
        cpu, name = happening.cpu, self.happening(happening)
        left, needs, slot = updates_left(cpu), happening.needs, happening.slot

        def starts(view: View) -> bool | None:
            if not view[left] or view[PAUSED] or all(view.ask(key, _is_absent) for key in needs):
                return False
            if not self.may_enter(view, cpu):
                return False
            view[left] = view[left] - 1
            view.start(slot, name)
            return None

        return Rule(name, starts)

    def _reading(self, happening: EnvironmentAction, budget: Flag) -> Rule:
        cpu, name, (belief,) = happening.cpu, self.happening(happening), happening.needs

        def starts(view: View) -> bool | None:
            left = view[budget]
            if not left or view[PAUSED] or view[belief] != happening.gpa:
                return False
            if view[stopped(cpu)] or not view.idle(happening.slot) or not view.idle(entry_slot(cpu)):
                return False
            view[budget] = left - 1
            view.start(happening.slot, name)
            return None

        return Rule(name, starts)

    def may_enter(self, view: View, cpu: int) -> bool:
        """Tell whether vCPU ``cpu`` stands at an instruction boundary of its guest, or is halted (and still loaded)."""
        return view.idle(entry_slot(cpu)) and in_guest(view.label(vcpu_slot(cpu)))

    def at_rest(self, view: View) -> bool:
        """Tell whether nothing is going on: no program runs, no update is on its way."""
        if not view.idle(EVENT) or view[PAUSED]:
            return False
        cpus = range(self.scenario.vcpus)
        return all(view.idle(vcpu_slot(cpu)) and view.idle(entry_slot(cpu)) for cpu in cpus)

    def memory_in(self, gpa: int, size: int) -> tuple[MemoryCell, ...]:
        """Return the known pieces of memory in a range."""
        return self.cells.within(gpa, size)

    def pages_in(self, gpa: int, size: int) -> Iterator[Shared]:
        """Yield the known pages in a range that the guest may have shared."""
        frames = pages(gpa, size)
        return (name for name in self.met if isinstance(name, Shared) and name.frame in frames)

    def held(self, view: View) -> Iterator[tuple[Key, Any]]:
        """Yield what the host remembers, derived entries included."""
        for name in self.cells.names:
            if isinstance(name, Key) and name.kind not in GHOST_KINDS:
                value = view[name]
                if value is not None:
                    yield name, value

    def changed_host(self, view: View, changes: Mapping[str, Any]) -> None:
        """Let the host forget everything and be another one."""
        for name in self.cells.names:
            if isinstance(name, Key) and name.kind not in GHOST_KINDS:
                view[name] = None
        for cpu in range(self.scenario.vcpus):
            before = view[record(cpu)]
            view[record(cpu)] = before.but(host=replace(before.host, **changes))


def _alternatives(step: Any) -> tuple[Any, ...] | None:
    return step.next_steps() if type(step) is Each else None


def _is_absent(value: Any) -> bool:
    return value is None


def _initial(var: Hashable) -> Hashable:
    if isinstance(var, MemoryCell):
        return 0
    return None if isinstance(var, Key | OwnerOf) else False


def _identity(start: Start) -> Any:
    """What a program is, comparable by value: bound methods of equal objects are the same program."""
    function: Any = getattr(start.program, "function", start.program)
    owner = getattr(function, "__self__", None)
    return getattr(function, "__func__", function), owner, getattr(start.program, "arguments", ())
