"""What may happen to a running machine at any time, whatever its lifecycle event: and where it happens.

A vCPU enters the guest and what is due is delivered; a page becomes ready or an interrupt is injected and the host
writes that feature's payload; another vCPU reads a payload. Engines that interleave steps start these programs in
*slots*: ``vcpuN`` runs guest code of vCPU N and the handlers of its exits, ``entryN`` what the host does while
vCPU N is outside the guest, ``event`` the strike.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workbench.checking.ghosts import noting_refusals, reading
from workbench.core.contracts import Feature
from workbench.core.driver import guest_side, host_side
from workbench.core.event_steps import Begin, Each, GuestProgram, Init, OnHost, Start
from workbench.core.host_state import VM, Key, area
from workbench.core.scenario import Scenario, believes
from workbench.core.steps import GUEST, Moment, Note, Program, Quiesce

EVENT = "event"

#: The clock of engines that interleave stands still: a payload is fresh or it is not.
MOMENT = Moment(ns=3, tsc=5, run_delay=1)


def vcpu_slot(cpu: int) -> str:
    """The slot in which vCPU ``cpu`` runs guest code and the handlers of its exits."""
    return f"vcpu{cpu}"


def entry_slot(cpu: int) -> str:
    """The slot in which the host delivers updates while vCPU ``cpu`` is outside the guest."""
    return f"entry{cpu}"


def cpu_of(slot: str) -> int:
    """The vCPU that a slot belongs to; what the event does on the host counts as vCPU 0's."""
    return 0 if slot == EVENT else int(slot.removeprefix("vcpu").removeprefix("entry"))


def serves_exit(slot: str) -> bool:
    """Tell whether what the host does in this slot is the handler of an exit."""
    return slot.startswith("vcpu")


def is_quiet(pending: Any) -> bool:
    """Tell whether the host does nothing in a slot whose pending (side, step) is this one; None: it is idle.

    It does nothing where the guest runs, or where it waits itself until it is quiet.
    """
    return pending is None or pending[0] is GUEST or type(pending[1]) is Quiesce


@dataclass(frozen=True)
class EnvironmentAction:
    """A program that may start by itself: its name, its slot, the state it needs."""

    scenario: Scenario
    name: str
    slot: str
    cpu: int
    feature: Feature | None = None
    owner: int = VM
    gpa: int | None = None  #: of a reading: where the guest believes the area to be

    @cached_property
    def needs(self) -> tuple[Key, ...]:
        """Keys of which at least one must have a value (a reading: this very ``gpa``)."""
        if self.gpa is not None and self.feature is not None:
            return (believes(self.owner, self.feature.name),)
        if self.feature is not None:
            return (area(self.owner, self.feature.name),)
        return tuple(area(owner_of(self.cpu, feature), feature.name) for feature in _at_entry(self.scenario))

    def program(self) -> Program:
        """Return a fresh generator of (side, step)."""
        protocol, cpu = self.scenario.protocol, self.scenario.cpu(self.cpu)
        if self.feature is None:
            return host_side(protocol.on_entry(cpu))
        if self.gpa is None:
            return host_side(protocol.deliver(cpu, self.feature))
        if self.owner == self.cpu:
            return guest_side(protocol, self.feature.read(self.gpa))
        return guest_side(protocol, read_and_note(self.owner, self.feature, self.gpa))


def owner_of(cpu: int, feature: Feature) -> int:
    """Whose area a delivery for ``cpu`` writes: its own, or the VM's."""
    return VM if feature.scope == "vm" else cpu


def read_and_note(owner: int, feature: Feature, gpa: int) -> Program:
    """Guest: read a payload as its ABI says, and note what was accepted."""
    payload = yield from feature.read(gpa)
    if payload is not None:
        yield Note(reading(owner, feature.name), payload)


def entry(scenario: Scenario, cpu: int) -> EnvironmentAction:
    """Return what happens when vCPU ``cpu`` enters the guest."""
    return EnvironmentAction(scenario, f"entry of vCPU {cpu}", entry_slot(cpu), cpu)


def _at_entry(scenario: Scenario) -> Iterator[Feature]:
    return (feature for feature in scenario.supported() if feature.update_when in ("entry", "request"))


def deliveries(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """All that the host may do by itself: an entry of each vCPU, an event, an update that the guest did not ask for.

    KVM writes the clock anew when the vCPU moves to another CPU, when the TSC changes, and now and then
    (Linux 6.12 arch/x86/kvm/x86.c, kvm_arch_vcpu_load, kvmclock_sync_fn).
    """
    for cpu in range(scenario.vcpus):
        if any(_at_entry(scenario)):
            yield entry(scenario, cpu)
        for feature in scenario.supported():
            if feature.update_when in ("event", "request"):
                name = f"{feature.name} {'event' if feature.update_when == 'event' else 'update'} on vCPU {cpu}"
                yield EnvironmentAction(scenario, name, entry_slot(cpu), cpu, feature, owner_of(cpu, feature))


def readings(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """Every vCPU reads the payload of every other one, and the VM's, in the place of either kernel."""
    for feature in scenario.supported():
        for owner in scenario.owners(feature):
            for cpu in range(scenario.vcpus):
                for generation in (0, 1) if cpu != owner else ():
                    gpa = scenario.addresses.gpa(scenario.addresses.area(generation, owner, feature))
                    whose = "the VM" if owner == VM else f"vCPU {owner}"
                    name = f"vCPU {cpu} reads {feature.name} of {whose} (kernel {generation})"
                    yield EnvironmentAction(scenario, name, vcpu_slot(cpu), cpu, feature, owner, gpa)


def event_handlings(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """Every vCPU handles an event of its own, so that the host may deliver the next."""
    for feature in scenario.supported():
        if feature.update_when == "event":
            for cpu in range(scenario.vcpus):
                for generation in (0, 1):
                    gpa = scenario.addresses.gpa(scenario.addresses.area(generation, cpu, feature))
                    name = f"vCPU {cpu} handles its {feature.name} event (kernel {generation})"
                    yield EnvironmentAction(scenario, name, vcpu_slot(cpu), cpu, feature, owner_of(cpu, feature), gpa)


def environment_actions(scenario: Scenario) -> dict[str, EnvironmentAction]:
    """Return everything that may happen by itself, by name."""
    found = (*deliveries(scenario), *readings(scenario), *event_handlings(scenario))
    return {happening.name: happening for happening in found}


def guest_program(scenario: Scenario, start: Start) -> Program:
    """Return the stream of (side, step) that a Start step begins."""
    program = noting_refusals(start.cpu, start.program(scenario.cpu(start.cpu)))
    return guest_side(scenario.protocol, program, cpl=start.cpl)


def event_program(scenario: Scenario, strike: Program, begin: Callable[[Start], Begin]) -> Program:
    """Return the strike of an event with the host programs that it asks for in line, each step with its side.

    ``begin`` gives the name under which a Start step's program is known. The answer to Init says whether the
    host knows the protocol, and so whether the protocol's own part of INIT follows. An Each is yielded as often as
    there is a choice, with what is left of it; the answer says which of its next steps was taken.
    """
    answer: Any = None
    while True:
        try:
            step = strike.send(answer)
        except StopIteration:
            return
        if isinstance(step, Each):
            answer = yield from _in_any_order(_begun(step, begin))
            continue
        answer = yield begin(step) if isinstance(step, Start) else step
        if isinstance(step, OnHost):
            answer = yield from step.program()
        elif isinstance(step, Init) and answer:
            answer = yield from host_side(scenario.protocol.on_init(scenario.cpu(step.cpu)))


def _begun(step: Each, begin: Callable[[Start], Begin]) -> Each:
    step.check()
    return Each(tuple(tuple(begin(own) if isinstance(own, Start) else own for own in turn) for turn in step.turns))


def _in_any_order(left: Each) -> Program:
    while len(left.turns) > 1:
        left = left.after((yield left))
    yield from (step for turn in left.turns for step in turn)


def program_name(start: Start) -> str:
    """Return what the program of a Start step is called."""
    return f"{_name(start.program)} on vCPU {start.cpu}" + (f" at CPL {start.cpl}" if start.cpl else "")


def _name(program: GuestProgram) -> str:
    function: Any = getattr(program, "function", program)
    owner = getattr(function, "__self__", None)
    generation = getattr(owner, "generation", None)
    kernel = "" if generation is None else f" (kernel {generation})"
    arguments = getattr(program, "arguments", ())
    told = [argument for argument in arguments if not isinstance(argument, Scenario)]
    name = getattr(function, "__name__", repr(function))
    return name + (repr(tuple(told)) if told else "") + kernel
