"""What may happen to a running machine at any time, whatever its lifecycle event: and in which slot it happens.

A vCPU enters the guest and what is due is delivered; a page becomes ready or an interrupt is injected and the host
writes that feature's payload; another vCPU reads a payload. Engines that interleave steps start these programs in the
slots of ``workbench.core.slots``.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from workbench.checking.ghosts import noting_refusals, reading
from workbench.core.address_map import GENERATIONS
from workbench.core.contracts import Feature
from workbench.core.driver import guest_side, host_side
from workbench.core.event_steps import Begin, Each, GuestProgram, Init, OnHost, Start
from workbench.core.host_state import VM, Key, area
from workbench.core.relay import relayed
from workbench.core.scenario import Scenario, believes
from workbench.core.slots import ProgramName, Slot, entry_slot, vcpu_slot
from workbench.core.steps import GUEST, Moment, Note, Program, Quiesce
from workbench.core.vcpu import Vcpu

#: The clock of engines that interleave stands still: a payload is fresh or it is not.
MOMENT = Moment(ns=3, tsc=5, run_delay=1)

#: What may happen: a vCPU enters the guest; the host writes a payload on an event, or an update that nobody asked for;
#: a vCPU reads another's payload, or handles an event of its own.
ENTRY, EVENT_PAYLOAD, UPDATE, READING, HANDLING = "entry", "event", "update", "reading", "handling"


def is_quiet(pending: Any) -> bool:
    """Tell whether the host does nothing in a slot whose pending (side, step) is this one; None: it is idle.

    It does nothing where the guest runs, or where it waits itself until it is quiet.
    """
    return pending is None or pending[0] is GUEST or type(pending[1]) is Quiesce


class EnvironmentAction(NamedTuple):
    """Something that may happen by itself, by value: its kind, the vCPU it happens on, the payload it is about."""

    kind: str
    cpu: int
    feature: str | None = None  #: None: an entry, which delivers all that is due
    owner: int = VM  #: whose payload
    generation: int | None = None  #: of a reading: which kernel's place is read

    @property
    def slot(self) -> Slot:
        """Where its program runs: what the guest does in the vCPU's own slot, what the host does beside it."""
        return vcpu_slot(self.cpu) if self.kind in (READING, HANDLING) else entry_slot(self.cpu)

    def gpa(self, scenario: Scenario) -> int | None:
        """Of a reading: where the guest must believe the area to be."""
        if self.generation is None:
            return None
        addresses = scenario.addresses
        return addresses.gpa(addresses.area(self.generation, self.owner, self._of(scenario)))

    def needs(self, scenario: Scenario) -> tuple[Key, ...]:
        """Keys of which at least one must have a value (a reading: this very ``gpa``)."""
        if self.feature is None:
            due = _delivered_at_entry(scenario)
            return tuple(area(owner_of(self.cpu, feature), feature.name) for feature in due)
        return ((area if self.generation is None else believes)(self.owner, self.feature),)

    def program(self, scenario: Scenario) -> Program:
        """Return a fresh generator of (side, step)."""
        protocol, cpu = scenario.protocol, scenario.cpu(self.cpu)
        if self.feature is None:
            return host_side(protocol.on_entry(cpu))
        feature, gpa = self._of(scenario), self.gpa(scenario)
        if gpa is None:
            return host_side(protocol.deliver(cpu, feature))
        if self.kind == HANDLING:
            return guest_side(protocol, feature.read(gpa))
        return guest_side(protocol, read_and_note(self.owner, feature, gpa))

    def _of(self, scenario: Scenario) -> Feature:
        return next(feature for feature in scenario.features if feature.name == self.feature)

    def __str__(self) -> str:
        kernel = f"(kernel {self.generation})"
        if self.kind == ENTRY:
            return f"entry of vCPU {self.cpu}"
        if self.kind == READING:
            whose = "the VM" if self.owner == VM else f"vCPU {self.owner}"
            return f"vCPU {self.cpu} reads {self.feature} of {whose} {kernel}"
        if self.kind == HANDLING:
            return f"vCPU {self.cpu} handles its {self.feature} event {kernel}"
        return f"{self.feature} {self.kind} on vCPU {self.cpu}"


def owner_of(cpu: int, feature: Feature) -> int:
    """Whose area a delivery for ``cpu`` writes: its own, or the VM's."""
    return VM if feature.scope == "vm" else cpu


def read_and_note(owner: int, feature: Feature, gpa: int) -> Program:
    """Guest: read a payload as its ABI says, and note what was accepted."""
    payload = yield from feature.read(gpa)
    if payload is not None:
        yield Note(reading(owner, feature.name), payload)


def entry(cpu: int) -> EnvironmentAction:
    """Return what happens when vCPU ``cpu`` enters the guest."""
    return EnvironmentAction(ENTRY, cpu)


def _delivered_at_entry(scenario: Scenario) -> Iterator[Feature]:
    return (feature for feature in scenario.supported() if feature.update_when in ("entry", "request"))


def deliveries(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """All that the host may do by itself: an entry of each vCPU, an event, an update that the guest did not ask for.

    KVM writes the clock anew when the vCPU moves to another CPU, when the TSC changes, and now and then
    (Linux 6.12 arch/x86/kvm/x86.c, kvm_arch_vcpu_load, kvmclock_sync_fn).
    """
    for cpu in range(scenario.vcpus):
        if any(_delivered_at_entry(scenario)):
            yield entry(cpu)
        for feature in scenario.supported():
            if feature.update_when in ("event", "request"):
                kind = EVENT_PAYLOAD if feature.update_when == "event" else UPDATE
                yield EnvironmentAction(kind, cpu, feature.name, owner_of(cpu, feature))


def readings(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """Every vCPU reads the payload of every other one, and the VM's, in the place of either kernel."""
    for feature in scenario.supported():
        for owner in scenario.owners(feature):
            for cpu in range(scenario.vcpus):
                for generation in range(GENERATIONS) if cpu != owner else ():
                    yield EnvironmentAction(READING, cpu, feature.name, owner, generation)


def event_handlings(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """Every vCPU handles an event of its own, so that the host may deliver the next."""
    for feature in scenario.supported():
        if feature.update_when == "event":
            for cpu in range(scenario.vcpus):
                for generation in range(GENERATIONS):
                    yield EnvironmentAction(HANDLING, cpu, feature.name, owner_of(cpu, feature), generation)


def environment_actions(scenario: Scenario) -> tuple[EnvironmentAction, ...]:
    """Return everything that may happen by itself."""
    return (*deliveries(scenario), *readings(scenario), *event_handlings(scenario))


def guest_program(scenario: Scenario, start: Start) -> Program:
    """Return the stream of (side, step) that a Start step begins."""
    program = noting_refusals(start.cpu, start.program(scenario.cpu(start.cpu)))
    return guest_side(scenario.protocol, program, cpl=start.cpl)


def event_program(scenario: Scenario, steps: Program, begin: Callable[[Start], Begin]) -> Program:
    """Return the steps of an event with the host programs that it asks for in line, each of these with its side.

    ``begin`` gives the name under which a Start step's program is known. The answer to Init is the vCPU's record if
    the host knows the protocol, and then the protocol's own part of INIT follows. An Each is yielded as often as
    there is a choice, with what is left of it; the answer says which of its next steps was taken.
    """

    def in_line(step: Any) -> Program:
        if isinstance(step, Each):
            return (yield from _in_any_order(_begun(step, begin)))
        answer = yield begin(step) if isinstance(step, Start) else step
        if isinstance(step, OnHost):
            return (yield from step.program())
        if isinstance(step, Init) and isinstance(answer, Vcpu):
            return (yield from host_side(scenario.protocol.on_init(answer)))
        return answer

    return relayed(steps, in_line)


def _begun(step: Each, begin: Callable[[Start], Begin]) -> Each:
    step.check()
    return Each(tuple(tuple(begin(own) if isinstance(own, Start) else own for own in turn) for turn in step.turns))


def _in_any_order(left: Each) -> Program:
    while len(left.turns) > 1:
        left = left.after((yield left))
    yield from (step for turn in left.turns for step in turn)


def program_name(start: Start) -> ProgramName:
    """Return what the program of a Start step is called: bound methods of equal kernels are not equal, names are."""
    program: GuestProgram = start.program
    function: Any = getattr(program, "function", program)
    kernel = getattr(function, "__self__", None)
    told = (one for one in getattr(program, "arguments", ()) if not isinstance(one, Scenario))
    name = getattr(function, "__name__", repr(function))
    return ProgramName(name, tuple(told), getattr(kernel, "generation", None), start.cpu, start.cpl)
