"""Which vCPUs of a machine can be exchanged, and the machine's model in which they are.

Two vCPUs can be exchanged if they begin alike and the event never does to one what it does not do to the other in the
same step, or in any order (``workbench.core.event_steps.Each``); not vCPU 0 if it registers what belongs to the
VM. This is only where the search for symmetry begins: the explorer compares all programs and a sample of the states,
and where it finds a difference, fewer vCPUs are taken for alike, or none. Why it is sound: docs/decisions/0004.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from math import factorial

from workbench.core.event_steps import Pause
from workbench.core.slots import EVENT, ProgramName, vcpu_slot
from workbench.core.step_text import step_text
from workbench.engines.explore.model import Model, Symmetry
from workbench.engines.explore.positions.positions import Program
from workbench.engines.explore.vm.model import MachineModel
from workbench.engines.explore.vm.symmetry.exchange import AnyNames, Exchange, PauseAs
from workbench.engines.explore.vm.symmetry.marks import Marks
from workbench.engines.explore.vm.symmetry.naming import Naming
from workbench.engines.explore.vm.variables import PAUSED

#: More are not exchanged: each state is renamed in every way, and there are 719 for six.
MOST = 5


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
        semantics = model.semantics
        assert semantics is not None
        model.semantics = lambda slot, step, view: semantics(slot, Pause() if type(step) is PauseAs else step, view)
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


def attempts(machine: MachineModel, marks: Marks) -> Iterator[tuple[int, ...]]:
    """Yield sets of vCPUs that may be interchangeable, the most promising first, and note why others are not."""
    scenario = machine.scenario
    slots = machine.model().slots
    programs = (slots[vcpu_slot(cpu)] for cpu in range(scenario.vcpus))
    began = tuple(program.without_cpu if isinstance(program, ProgramName) else None for program in programs)
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
