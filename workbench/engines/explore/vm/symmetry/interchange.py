"""Which vCPUs of a machine can be exchanged, and the machine's model in which they are.

Two vCPUs can be exchanged if they begin alike and the event never does to one what it does not do to the other in the
same step, or in any order (``workbench.core.event_steps.Each``); not vCPU 0 if it registers what belongs to the
VM. This is only where the search for symmetry begins: the explorer compares all programs and a sample of the states,
and where it finds a difference, fewer vCPUs are taken for alike, or none. Why it is sound: docs/decisions/0004.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from math import factorial
from typing import TYPE_CHECKING, Any

from workbench.checking.environment import EVENT, program_name, vcpu_slot
from workbench.core.event_steps import Each, Enter, Init, KernelGone, Reassign, Start, Stop, Wait, WaitAll
from workbench.core.step_text import step_text
from workbench.core.steps import Program as Steps
from workbench.engines.explore.model import Model, Program, Symmetry
from workbench.engines.explore.vm.symmetry.exchange import VCPU_IN_NAME, Exchange
from workbench.engines.explore.vm.symmetry.naming import Naming
from workbench.engines.explore.vm.variables import PAUSED, AnyNames

if TYPE_CHECKING:
    from workbench.engines.explore.vm.model import MachineModel

#: More are not exchanged: each state is renamed in every way, and there are 719 for six.
MOST = 5


@dataclass
class Merging:
    """Which vCPUs were taken for interchangeable, none if fewer than two; and why others were not."""

    cpus: tuple[int, ...] = ()
    reasons: list[str] = field(default_factory=list)


class Interchange:
    """The vCPUs ``members`` of a machine as interchangeable ones."""

    def __init__(self, machine: MachineModel, members: tuple[int, ...]) -> None:
        self.machine = machine
        self.members = members
        self._exchanges = {
            order: Exchange(machine, dict(zip(members, order, strict=True)))
            for order in itertools.permutations(members)
        }
        self.naming = Naming(self._exchanges, members)

    def _to(self, mapping: Mapping[int, int]) -> Exchange:
        return self.naming.exchange(dict(mapping))

    def symmetry(self) -> Symmetry:
        """Return what the explorer needs to exchange the members."""
        return Symmetry(
            self.members,
            variable=lambda name, mapping: self._to(mapping).variable(name),
            program=lambda name, mapping: name if name == EVENT else self._to(mapping).program(name),
            value=lambda name, value, mapping: self._to(mapping).value(name, value),
            slot=lambda name, mapping: self._to(mapping).slot(name),
            answer=lambda step, answer, mapping: self._to(mapping).answer(step, answer),
            step=lambda step, mapping: self._to(mapping).step(step),
            text=step_text,
            home=self.naming.home,
            alone=PAUSED,
        )

    def applied(self, model: Model) -> Model:
        """Return a machine's model with its symmetry, and with any names for the vCPUs while they are paused."""
        event, alternatives = model.programs[EVENT], model.alternatives
        assert alternatives is not None
        model.programs = {**model.programs, EVENT: Program(EVENT, lambda: self.naming.under_any_names(event.make()))}
        model.symmetry = (self.symmetry(),)
        model.alternatives = lambda step: step.pauses if type(step) is AnyNames else alternatives(step)
        model.choices = {EVENT: max(model.choices[EVENT], factorial(len(self.members)))}
        return model

    def mirror(self) -> None:
        """Let the memory of all members be cut alike, and the host know the same entries of them."""
        cells = self.machine.cells
        with cells.learning():
            known = -1
            while known != (known := len(cells.everything()) + len(cells.names)):
                for to in self._exchanges.values():
                    for name in (*cells.everything(), *cells.names):
                        to.variable(name)


# -- who can be exchanged -------------------------------------------------------------------------------------


class Marks:
    """What sets vCPUs of one machine apart, as far as the steps of its event tell."""

    def __init__(self, vcpus: int) -> None:
        self.cpus = range(vcpus)
        self._found: dict[tuple[Hashable, ...], str] = {}

    def note(self, text: str, marks: tuple[Hashable, ...]) -> None:
        """Note what distinguishes vCPUs (a mark for each, equal if they are treated alike) and what says so."""
        if len(set(marks)) > 1:
            self._found.setdefault(marks, text)

    def noting(self, strike: Steps) -> Steps:
        """Return an event's steps, and note on the way which vCPUs they name."""
        answer: Any = None
        while True:
            try:
                step = strike.send(answer)
            except StopIteration:
                return
            self.note(_text(step), tuple(_mark(step, cpu) for cpu in self.cpus))
            answer = yield step

    def alike(self) -> tuple[tuple[int, ...], list[str]]:
        """Return the largest set of vCPUs that nothing sets apart, and for each of the others what does."""
        described = {cpu: tuple(marks[cpu] for marks in self._found) for cpu in self.cpus}
        most, _ = Counter(described.values()).most_common(1)[0]
        alike, reasons = tuple(cpu for cpu in self.cpus if described[cpu] == most), []
        for cpu, own in described.items():
            if own != most:
                differs = next(n for n, (one, other) in enumerate(zip(own, most, strict=True)) if one != other)
                reasons.append(f"vCPU {cpu} is not treated like vCPU {alike[0]}: {list(self._found.values())[differs]}")
        return alike, reasons


def _text(step: Any) -> str:
    """Return one line for a step of an event's strike, in which programs are not yet known by a name."""
    if isinstance(step, Start):
        return f"start {program_name(step)}"
    return " or ".join(map(_text, step.next_steps())) if isinstance(step, Each) else step_text(step)


def _mark(step: Any, cpu: int) -> Hashable:
    """What a step says of a vCPU, without its name."""
    if isinstance(step, Start):
        return step.cpu == cpu and _started(step)
    if isinstance(step, Wait | Stop | Enter | Init):
        return step.cpu == cpu
    if isinstance(step, WaitAll | KernelGone):
        return cpu in step.cpus
    if isinstance(step, Reassign):
        return tuple(sorted((unit.generation, unit.what) for unit in step.units if unit.cpu == cpu))
    if isinstance(step, Each):
        return tuple(tuple((type(own), _mark(own, cpu)) for own in turn) for turn in step.turns if turn[0].cpu == cpu)
    return None


def _started(start: Start) -> str:
    return VCPU_IN_NAME.sub("", program_name(start))


def attempts(machine: MachineModel) -> Iterator[tuple[int, ...]]:
    """Yield sets of vCPUs that may be interchangeable, the most promising first, and note why others are not."""
    marks, scenario = machine.marks, machine.scenario
    slots = machine.model().slots
    began = tuple(VCPU_IN_NAME.sub("", slots[vcpu_slot(cpu)] or "") for cpu in range(scenario.vcpus))
    marks.note("before the event, they run different programs", began)
    wide = [feature.name for feature in scenario.supported() if feature.scope == "vm"]
    if wide:
        marks.note(f"vCPU 0 registers {', '.join(wide)} for the VM", tuple(cpu == 0 for cpu in range(scenario.vcpus)))
    members, reasons = marks.alike()
    machine.merging.reasons += reasons
    if len(members) < 2:
        machine.merging.reasons.append("no two vCPUs are alike")
        return
    if len(members) > MOST:
        machine.merging.reasons.append(f"{len(members)} vCPUs are alike; {MOST} of them are exchanged")
    yield members[:MOST]
    rest = tuple(cpu for cpu in members if cpu)
    if 1 < len(rest) < len(members):
        yield rest[:MOST]
