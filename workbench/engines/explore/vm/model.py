"""From a scenario and an event to a model: slots for vCPUs, entries and the event; properties on top.

* ``vcpuN`` runs guest programs and the handlers of their exits.
* ``entryN`` delivers payload updates. A rule starts it whenever vCPU N could enter the guest, as often as
  :class:`Bounds` allows; the vCPU's own guest code waits meanwhile, everybody else goes on.
* ``event`` runs the event's strike, at any time: it does not wait until the guest has booted.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from workbench.core.driver import guest_side, host_side
from workbench.core.errors import WorkbenchError
from workbench.core.hoststate import VM, Key, area
from workbench.core.scenario import Scenario
from workbench.core.steps import GUEST
from workbench.core.steps import Program as Steps
from workbench.core.transition import perform
from workbench.core.vmsteps import GuestProgram, Init, OnHost, Start
from workbench.engines.explore.explorer import explore
from workbench.engines.explore.model import BLOCKED, Model, Program, Property, Rule
from workbench.engines.explore.result import Result
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.atoms import Atom, Atoms, Finer
from workbench.engines.explore.vm.eventsteps import EVENT_STEPS
from workbench.engines.explore.vm.names import (
    EVENT,
    MEMSLOTS,
    PAUSED,
    Begin,
    Flag,
    OwnerOf,
    entry_slot,
    in_guest,
    vcpu_slot,
)
from workbench.engines.explore.vm.world import ViewWorld, fetched

LOW_RAM = (0, 0x10_0000, False)


class Event(Protocol):
    """What the explorer needs of a lifecycle event."""

    name: str

    def circumstances(self, scenario: Scenario) -> Scenario: ...
    def setup(self, scenario: Scenario) -> Steps: ...
    def strike(self, scenario: Scenario) -> Steps: ...


@dataclass(frozen=True)
class Bounds:
    """How often things may happen that could happen for ever: payload updates of one vCPU."""

    entries: int = 1


class MachineModel:
    """The model of one scenario under one event; :meth:`model` builds it anew with what was learnt so far."""

    def __init__(
        self,
        scenario: Scenario,
        event: Event,
        properties: Callable[["MachineModel"], Sequence[Property]] = lambda model: (),
        bounds: Bounds = Bounds(),
    ) -> None:
        self.scenario = event.circumstances(scenario)
        self.protocol = self.scenario.protocol
        self.event = event
        self.bounds = bounds
        self.atoms = Atoms()
        self.programs: dict[str, Program] = {}
        self._properties = properties
        for owner, feature in self.areas():
            self.atoms.names[area(owner, feature.name)] = None

    def areas(self) -> Iterator[tuple[int, Any]]:
        """Every (owner, feature) that the protocol can express."""
        for feature in self.scenario.supported():
            for owner in self.scenario.owners(feature):
                yield owner, feature

    # -- programs --------------------------------------------------------------------------------------

    def guest_program(self, start: Start) -> str:
        """Return the name of the program that a Start step means, making it known if it is new."""
        name = f"{_name(start.program)} on vCPU {start.cpu}" + (f" at CPL {start.cpl}" if start.cpl else "")

        def make() -> Steps:
            record = self.scenario.cpu(start.cpu)
            return guest_side(self.protocol, start.program(record), cpl=start.cpl)

        self.programs.setdefault(name, Program(name, make))
        return name

    def entry_program(self, cpu: int) -> str:
        """Return the name of the program that delivers what is due when ``cpu`` enters the guest."""
        name = f"entry of vCPU {cpu}"
        record = self.scenario.cpu(cpu)
        self.programs.setdefault(name, Program(name, lambda: host_side(self.protocol.on_entry(record))))
        return name

    def _event_program(self) -> Steps:
        """The strike, with host programs that it asks for in line."""
        strike = self.event.strike(self.scenario)
        answer: Any = None
        while True:
            try:
                step = strike.send(answer)
            except StopIteration:
                return
            if isinstance(step, Start):
                # By its name, because bound methods of equal kernels are not equal.
                step = Begin(step.cpu, self.guest_program(step))
            answer = yield step
            if isinstance(step, OnHost):
                answer = yield from step.program()
            elif isinstance(step, Init):
                answer = yield from host_side(self.protocol.on_init(self.scenario.cpu(step.cpu)))

    # -- the model ---------------------------------------------------------------------------------------

    def model(self) -> Model:
        """Return the model, with the atoms and names known so far."""
        slots: dict[str, str | None] = {vcpu_slot(cpu): None for cpu in range(self.scenario.vcpus)}
        for step in self.event.setup(self.scenario):
            if not isinstance(step, Start):
                raise WorkbenchError(f"event {self.event.name}: setup yielded {step!r}; the explorer allows only Start")
            slots[vcpu_slot(step.cpu)] = self.guest_program(step)
        for cpu in range(self.scenario.vcpus):
            self.entry_program(cpu)
            slots[entry_slot(cpu)] = None
        self.programs[EVENT] = Program(EVENT, self._event_program)
        slots[EVENT] = EVENT
        return Model(
            variables=self._variables(),
            slots=slots,
            programs=self.programs,
            semantics=self._step,
            rules=[self._entry_rule(cpu) for cpu in range(self.scenario.vcpus)],
            properties=tuple(self._properties(self)),
            default=_initial,
        )

    def _variables(self) -> dict[Hashable, Hashable]:
        addresses = self.scenario.addresses
        slots = (LOW_RAM, *((addresses.slot(g), addresses.slot_size, False) for g in (0, 1)))
        variables: dict[Hashable, Hashable] = {MEMSLOTS: slots, PAUSED: False}
        for cpu in range(self.scenario.vcpus):
            variables[Flag("record", cpu)] = self.scenario.cpu(cpu)
            variables[Flag("entries", cpu)] = self.bounds.entries
            variables[Flag("stopped", cpu)] = False
            variables[fetched(cpu)] = ()
        variables.update(dict.fromkeys(self.atoms.names))
        return variables

    # -- what a step does ----------------------------------------------------------------------------------

    def _step(self, slot: str, step: Any, view: View) -> Any:
        if slot == EVENT and not _is_sided(step):
            return EVENT_STEPS[type(step)](self, view, step)
        side, inner = step
        cpu = 0 if slot == EVENT else int(slot.removeprefix("vcpu").removeprefix("entry"))
        if side is GUEST and slot != EVENT:
            if view[PAUSED] or not view.idle(entry_slot(cpu)):
                return BLOCKED
            view[fetched(cpu)] = ()
        return perform(ViewWorld(self.scenario, self.atoms, view, cpu), cpu, side, inner)

    def _entry_rule(self, cpu: int) -> Rule:
        served = [
            area(cpu if feature.scope == "vcpu" else VM, feature.name)
            for feature in self.scenario.supported()
            if feature.update_when in ("entry", "request")
        ]

        def enters(view: View) -> bool | None:
            if not self.may_enter(view, cpu) or view[PAUSED]:
                return False
            left = view[Flag("entries", cpu)]
            if not left or all(view[key] is None for key in served):
                return False
            view[Flag("entries", cpu)] = left - 1
            view.start(entry_slot(cpu), self.entry_program(cpu))
            return None

        return Rule(f"vCPU {cpu} enters the guest", enters)

    def may_enter(self, view: View, cpu: int) -> bool:
        """Tell whether vCPU ``cpu`` stands at an instruction boundary of its guest."""
        if view[Flag("stopped", cpu)] or not view.idle(entry_slot(cpu)):
            return False
        return in_guest(view.label(vcpu_slot(cpu)))

    def at_rest(self, view: View) -> bool:
        """Tell whether nothing is going on: no program runs, no update is on its way."""
        cpus = range(self.scenario.vcpus)
        return (
            view.idle(EVENT)
            and not view[PAUSED]
            and all(view.idle(vcpu_slot(cpu)) and view.idle(entry_slot(cpu)) for cpu in cpus)
        )

    def memory_in(self, gpa: int, size: int) -> tuple[Atom, ...]:
        """Return the known pieces of memory in a range."""
        return self.atoms.within(gpa, size)

    def changed_host(self, view: View, changes: Mapping[str, Any]) -> None:
        """Let the host forget everything and be another one."""
        for name in self.atoms.names:
            if isinstance(name, Key) and name.kind not in GHOST_KINDS:
                view[name] = None
        for cpu in range(self.scenario.vcpus):
            record = view[Flag("record", cpu)]
            view[Flag("record", cpu)] = record.but(host=replace(record.host, **changes))


#: Kinds of Key that are not the host's memory but notes about guest and history.
GHOST_KINDS = frozenset({"believes", "asked", "was area"})


def _is_sided(step: Any) -> bool:
    return type(step) is tuple


def _initial(var: Hashable) -> Hashable:
    if isinstance(var, Atom):
        return 0
    return None if isinstance(var, (Key, OwnerOf)) else False


def _name(program: GuestProgram) -> str:
    function = getattr(program, "function", program)
    owner = getattr(function, "__self__", None)
    generation = getattr(owner, "generation", None)
    kernel = "" if generation is None else f" (kernel {generation})"
    arguments = getattr(program, "arguments", ())
    return getattr(program, "__name__", repr(program)) + (repr(arguments) if arguments else "") + kernel


def explore_machine(machine: MachineModel, **options: Any) -> Result:
    """Explore, beginning again whenever the model learns that its variables must be finer."""
    while True:
        try:
            return explore(machine.model(), **options)
        except Finer:
            continue
