"""One schedule of one event: the guest boots, the event strikes, and every access is counted.

The schedule is the plainest there is: each program runs to its end before the next one starts. What can go
wrong between two steps is the explorer's business; a protocol is never judged by this engine alone.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from workbench.core.address_map import Unit
from workbench.core.event_steps import (
    AddMemslot,
    DeleteMemslot,
    Enter,
    KernelGone,
    MoveMemslot,
    NewHost,
    OnHost,
    Pause,
    Reassign,
    Resume,
    in_order,
)
from workbench.core.host_state import VM, Key
from workbench.core.machine import Access, Machine
from workbench.core.outcome import Fate
from workbench.core.scenario import Event, Scenario
from workbench.core.steps import Program, Side
from workbench.engines.simulate.fates import Area, all_fates
from workbench.engines.simulate.lanes.machine import FEWEST_LANES, AtOnce, keeps_state
from workbench.engines.simulate.turns import VCPU_STEPS, Turn, alike, read_ahead
from workbench.errors import WorkbenchError

#: Firmware and tests own the first MiB.
LOW_RAM = 0x10_0000

#: Payloads the host may write without being asked again, so that a wrong area is a danger at any time.
WRITES_ANY_TIME = ("entry", "request", "event")


@dataclass(frozen=True)
class Run:
    """What one event came to: counts of the strike alone, fates of all areas, the machine as it is now."""

    scenario: Scenario
    event: str
    counts: Counter[str]
    boot_counts: Counter[str]
    fates: dict[Area, Fate]
    strays: int  #: host writes that hit memory which is somebody else's
    machine: Machine
    trace: list[Access]


class Simulation:
    """A machine under one scenario, carrying out the steps of lifecycle events."""

    def __init__(self, scenario: Scenario, *, trace: bool = False, lanes: bool = True) -> None:
        self.scenario = scenario
        self.protocol = scenario.protocol
        self.machine = Machine(scenario.cpus, encrypted=scenario.encrypted, seed=scenario.seed, trace=trace)
        # A trace shows each access of each vCPU, in turn.
        self.at_once = AtOnce(self.machine) if lanes and not trace else None
        self.machine.memory.add(0, LOW_RAM)
        for generation in (0, 1):
            self.machine.memory.add(scenario.addresses.slot(generation), scenario.addresses.slot_size)
        self.disowned: set[Unit] = set()
        self.strayed: set[Area] = set()  # (owner, feature) of areas in others' memory
        self.strays = 0

    # -- steps of events -------------------------------------------------------------------------------

    def play(self, event_program: Program) -> None:
        """Carry out the steps of a lifecycle event, one after the other.

        The steps of vCPUs answer nothing, so a run of them is read ahead: alike ones may be carried out at once.
        """
        event_program = in_order(event_program)
        step = next(event_program, None)
        while step is not None:
            if type(step) in VCPU_STEPS:
                run, step = read_ahead(event_program, step)
                for group in alike(run):
                    self._on_vcpus(group)
            else:
                answer = self._act(step)
                try:
                    step = event_program.send(answer)
                except StopIteration:
                    return

    def _act(self, step: Any) -> Any:
        action = _VM_STEPS.get(type(step))
        if action is None:
            known = ", ".join(kind.__name__ for kind in (*_VM_STEPS, *VCPU_STEPS))
            raise WorkbenchError(f"a lifecycle event yielded {step!r}, which is not one of its steps: {known}")
        return action(self, step)

    def _on_vcpus(self, turns: list[Turn]) -> None:
        """Carry out the turns of consecutive vCPUs, which differ in nothing but the vCPU."""
        rest = turns
        if self.at_once and len(turns) >= FEWEST_LANES and not self._may_differ(turns[0]):
            # The first may be the boot CPU; the second shows how many steps a turn takes.
            changed = keeps_state(self.protocol)
            self._take_turn(turns[0])
            before = self.machine.counts["steps"]
            self._take_turn(turns[1])
            steps, rest = self.machine.counts["steps"] - before, turns[2:]
            programs = partial(self._programs, rest[0])
            if not changed() and self.at_once.run(rest[0][0].cpu, len(rest), steps, programs):
                return
        for turn in rest:
            self._take_turn(turn)

    def _may_differ(self, turn: Turn) -> bool:
        """Tell whether more than the vCPU's own programs are to be looked at after each of these steps."""
        return bool(self.disowned) and any(type(step) is Enter for step in turn)

    def _take_turn(self, turn: Turn) -> None:
        for step in turn:
            VCPU_STEPS[type(step)](self.machine, self.protocol, step)
            if type(step) is Enter:
                self._look_for_danger(step.cpu)

    def _programs(self, turn: Turn, machine: Machine) -> None:
        for step in turn:
            VCPU_STEPS[type(step)](machine, self.protocol, step)

    def _new_host(self, step: NewHost) -> None:
        self.machine.entries.clear()
        for index, cpu in self.machine.cpus.items():
            self.machine.cpus[index] = cpu.but(host=replace(cpu.host, **dict(step.changes)))

    def _on_host(self, step: OnHost) -> Any:
        return self.machine.run(step.cpu, step.program())

    def _disown(self, step: Reassign) -> None:
        self.disowned.update(step.units)
        self.machine.on_host_store = self._watch if self.disowned else None

    def _forget(self, step: KernelGone) -> None:
        gone = {*step.cpus, VM} if 0 in step.cpus else set(step.cpus)
        notes = self.machine.notes
        for key in [key for key in notes if isinstance(key, Key) and key.cpu in gone]:
            del notes[key]

    # -- what became of the areas ------------------------------------------------------------------------

    def _watch(self, gpa: int, size: int, side: Side) -> None:
        unit = self.scenario.addresses.unit_at(gpa)
        if unit is not None and unit in self.disowned:
            self.strays += 1
            self.strayed.add((unit.cpu, unit.what))

    def _look_for_danger(self, cpu: int) -> None:
        """Note areas of others' memory that the host holds and may write at any time."""
        if not self.disowned:
            return
        for feature in self.scenario.supported():
            if feature.update_when in WRITES_ANY_TIME:
                gpa = self.protocol.serving(self.machine.entries, cpu, feature, 0)
                unit = None if gpa is None else self.scenario.addresses.unit_at(gpa)
                if unit is not None and unit in self.disowned:
                    self.strayed.add((unit.cpu, unit.what))

    def fates(self) -> dict[Area, Fate]:
        """Return {(owner, feature): fate} for every area of the scenario."""
        return all_fates(self.machine, self.scenario, self.strayed, self.at_once)


_VM_STEPS: dict[type, Callable[[Simulation, Any], Any]] = {
    NewHost: Simulation._new_host,
    OnHost: Simulation._on_host,
    Reassign: Simulation._disown,
    KernelGone: Simulation._forget,
    AddMemslot: lambda sim, step: sim.machine.memory.add(step.gpa, step.size, readonly=step.readonly),
    DeleteMemslot: lambda sim, step: sim.machine.memory.delete(step.gpa),
    MoveMemslot: lambda sim, step: sim.machine.memory.move(step.gpa, step.to),
    Pause: lambda sim, step: None,
    Resume: lambda sim, step: None,
}


def simulate(scenario: Scenario, event: Event, *, trace: bool = False, lanes: bool = True) -> Run:
    """Let the guest of ``scenario`` boot, let ``event`` strike, and return what it came to.

    ``lanes=False`` runs every vCPU by itself; the result is the same, only later (``lanes.py`` says why).
    """
    scenario = event.adapt(scenario)
    simulation = Simulation(scenario, trace=trace, lanes=lanes)
    machine = simulation.machine
    simulation.play(event.setup(scenario))
    before = Counter(machine.counts)
    if machine.trace is not None:
        machine.trace.clear()
    simulation.play(event.happen(scenario))
    after = Counter(machine.counts)
    after.subtract(before)
    return Run(
        scenario, event.name, after, before, simulation.fates(), simulation.strays, machine, machine.trace or []
    )


