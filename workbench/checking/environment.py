"""The actions that may happen to a running machine at any time, under every lifecycle event, and their slots.

A vCPU enters the guest and due updates are delivered; a page becomes ready or an interrupt is injected, and the host
writes that feature's payload; another vCPU reads a payload. Engines that interleave steps start these programs in the
slots of ``workbench.core.slots``.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, NamedTuple

from workbench.checking.ghosts import noting_refusals, reading
from workbench.core.contracts import Feature
from workbench.core.driver import guest_side, host_side
from workbench.core.event_steps import Begin, Each, GuestProgram, Init, OnHost, Start
from workbench.core.host_state import VM, Key, area
from workbench.core.relay import relayed
from workbench.core.scenario import Scenario, believes
from workbench.core.slots import ProgramName, Slot, entry_slot, vcpu_slot
from workbench.core.steps import GUEST, Moment, Note, Program, Quiesce
from workbench.core.vcpu import Vcpu

#: The fixed times of engines that interleave steps: on the first host, and after the machine has moved to another. A
#: clock that advanced would make the states endless; a host of its own shows what is taken over from the one before.
#: The other host has let its thread wait for less time, and its time stamp counter shows less.
MOMENT, MOMENT_ELSEWHERE = MOMENTS = (Moment(ns=3, tsc=5, run_delay=2), Moment(ns=4, tsc=1, run_delay=1))

#: Kinds of actions: a vCPU enters the guest; the host writes a payload on an event, or an update without a request;
#: a vCPU reads another's payload, or handles an event of its own.
ENTRY, EVENT_PAYLOAD, UPDATE, READING, HANDLING = "entry", "event", "update", "reading", "handling"


def is_quiet(pending: Any) -> bool:
    """Tell whether the host does nothing in a slot, given the slot's pending (side, step), None if it is idle.

    It does nothing if the slot is idle, if the guest runs there, or if the host itself waits there (Quiesce).
    """
    return pending is None or pending[0] is GUEST or type(pending[1]) is Quiesce


class EnvironmentAction(NamedTuple):
    """A spontaneous action, as a value: its kind, the vCPU on which it happens, and its payload."""

    kind: str
    cpu: int
    feature: str | None = None  #: None: an entry, which delivers all due updates
    owner: int = VM  #: the owner of the payload
    generation: int | None = None  #: of a reading: the kernel whose area is read

    @property
    def slot(self) -> Slot:
        """The slot of its program: guest code runs in the vCPU's own slot, host code in the vCPU's entry slot."""
        return vcpu_slot(self.cpu) if self.kind in (READING, HANDLING) else entry_slot(self.cpu)

    def gpa(self, scenario: Scenario) -> int | None:
        """Of a reading: the address at which the guest must believe the area to be; otherwise None."""
        if self.generation is None:
            return None
        addresses = scenario.addresses
        return addresses.gpa(addresses.area(self.generation, self.owner, self._of(scenario)))

    def needs(self, scenario: Scenario) -> tuple[Key, ...]:
        """Keys of which at least one must have a value (for a reading, the value ``gpa``)."""
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
    """The owner of the area that a delivery for ``cpu`` writes: that vCPU, or the VM."""
    return VM if feature.scope == "vm" else cpu


def read_and_note(owner: int, feature: Feature, gpa: int) -> Program:
    """Guest: read a payload by the rules of its ABI, and note what was accepted."""
    payload = yield from feature.read(gpa)
    if payload is not None:
        yield Note(reading(owner, feature.name), payload)


def entry(cpu: int) -> EnvironmentAction:
    """Return the action that delivers due updates when vCPU ``cpu`` enters the guest."""
    return EnvironmentAction(ENTRY, cpu)


def _delivered_at_entry(scenario: Scenario) -> Iterator[Feature]:
    return (feature for feature in scenario.supported() if feature.update_when in ("entry", "request"))


def deliveries(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """The spontaneous actions of the host: an entry of each vCPU, an event, an update that the guest did not request.

    KVM rewrites the clock when the vCPU moves to another CPU, when the TSC changes, and periodically
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
    """Every vCPU reads the payload of every other vCPU and of the VM, at the address that each kernel gives it."""
    for feature in scenario.supported():
        for owner in scenario.owners(feature):
            for cpu in range(scenario.vcpus):
                for generation in range(scenario.kernels) if cpu != owner else ():
                    yield EnvironmentAction(READING, cpu, feature.name, owner, generation)


def event_handlings(scenario: Scenario) -> Iterator[EnvironmentAction]:
    """Every vCPU handles an event of its own, so that the host may deliver the next one."""
    for feature in scenario.supported():
        if feature.update_when == "event":
            for cpu in range(scenario.vcpus):
                for generation in range(scenario.kernels):
                    yield EnvironmentAction(HANDLING, cpu, feature.name, owner_of(cpu, feature), generation)


def environment_actions(scenario: Scenario) -> tuple[EnvironmentAction, ...]:
    """Return all spontaneous actions."""
    return (*deliveries(scenario), *readings(scenario), *event_handlings(scenario))


def guest_program(scenario: Scenario, start: Start) -> Program:
    """Return the stream of (side, step) that a Start step begins."""
    program = noting_refusals(start.cpu, start.program(scenario.cpu(start.cpu)))
    return guest_side(scenario.protocol, program, cpl=start.cpl)


def event_program(scenario: Scenario, steps: Program, begin: Callable[[Start], Begin]) -> Program:
    """Return the steps of an event, with the steps of its host programs inserted, each of these with its side.

    ``begin`` turns a Start step into a Begin step, which names the program. The answer to Init is the vCPU's record if
    the host knows the protocol; the protocol's own part of INIT then follows. An Each is yielded once for each choice,
    reduced to the remaining turns; the answer is the step that was taken.
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
    """Return the name of a Start step's program: names can be compared, bound methods of equal kernels cannot."""
    program: GuestProgram = start.program
    function: Any = getattr(program, "function", program)
    kernel = getattr(function, "__self__", None)
    told = (one for one in getattr(program, "arguments", ()) if not isinstance(one, Scenario))
    name = getattr(function, "__name__", repr(function))
    if kernel is not None and getattr(getattr(kernel, "scenario", None), "retakes", False):
        name = _of_part(kernel, name)
    return ProgramName(name, tuple(told), getattr(kernel, "generation", None), start.cpu, start.cpl)


def _of_part(kernel: Any, name: str) -> str:
    """Return the name of a kernel's program in an event of several parts, whose kernels may be of several classes."""
    kind = type(kernel)
    first = [one for one in kind.__mro__ if name in vars(one)][-1]
    own = [getattr(kernel, one.name) for one in fields(kernel) if one.name not in ("scenario", "generation")]
    told = ", ".join(str(getattr(one, "name", one)) for one in own if one is not None)
    return (name if kind is first else f"{kind.__name__}.{name}") + (f"({told})" if told else "")
