"""One schedule of one event: the guest boots, the event happens, and every access is counted.

Under this schedule each program runs to its end before the next one starts (``one_by_one``). What can go wrong between
two steps is for the explorer to find; a protocol is never judged by this engine alone.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial

from workbench.checking.evidence import in_others_memory
from workbench.core.address_map import Unit
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Enter, in_order
from workbench.core.machine import Access, Machine
from workbench.core.machine_transition import perform_on_machine
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario
from workbench.core.steps import Program, Side
from workbench.engines.simulate.fates import Area, all_fates
from workbench.engines.simulate.lanes.machine import FEWEST_LANES, AtOnce, keeps_state
from workbench.engines.simulate.one_by_one import OneByOne
from workbench.engines.simulate.turns import VCPU_STEPS, Turn, alike, read_ahead


@dataclass(frozen=True)
class Run:
    """What one event came to: counts of the event alone, fates of all areas, the machine as it is now."""

    scenario: Scenario
    event: str
    counts: Counter[str]
    boot_counts: Counter[str]
    fates: dict[Area, Fate]
    strays: int  #: host writes that hit memory which is somebody else's
    machine: Machine
    trace: list[Access]


class Simulation(OneByOne):
    """A machine under one scenario, carrying out the steps of lifecycle events."""

    def __init__(self, scenario: Scenario, *, trace: bool = False, lanes: bool = True) -> None:
        machine = Machine(scenario.cpus, encrypted=scenario.encrypted, seed=scenario.seed, trace=trace)
        super().__init__(machine, scenario.protocol)
        self.scenario = scenario
        # A trace shows each access of each vCPU, in turn.
        self.at_once = AtOnce(machine) if lanes and not trace else None
        for region in scenario.memslots():
            machine.memory.add(region.gpa, region.size)
        self.reassigned: set[Unit] = set()
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
                answer = perform_on_machine(self, step)
                try:
                    step = event_program.send(answer)
                except StopIteration:
                    return

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
        return bool(self.reassigned) and any(type(step) is Enter for step in turn)

    def _take_turn(self, turn: Turn) -> None:
        for step in turn:
            perform_on_machine(self, step)
            if self.reassigned and type(step) is Enter:
                held = self.machine.entries
                self.strayed.update(in_others_memory(self.scenario, held, step.cpu, self.reassigned))

    def _programs(self, turn: Turn, machine: Machine) -> None:
        world = OneByOne(machine, self.protocol)
        for step in turn:
            perform_on_machine(world, step)

    # -- what became of the areas ------------------------------------------------------------------------

    def reassign(self, unit: Unit) -> None:
        """Watch the host's writes to memory that is somebody else's from now on."""
        self.reassigned.add(unit)
        self.machine.on_host_store = self._watch

    def _watch(self, gpa: int, size: int, side: Side) -> None:
        unit = self.scenario.addresses.unit_at(gpa)
        if unit is not None and unit in self.reassigned:
            self.strays += 1
            self.strayed.add((unit.cpu, unit.what))

    def fates(self) -> dict[Area, Fate]:
        """Return {(owner, feature): fate} for every area of the scenario."""
        return all_fates(self.machine, self.scenario, self.strayed, self.at_once)


def simulate(scenario: Scenario, event: Event, *, trace: bool = False, lanes: bool = True) -> Run:
    """Boot the guest of ``scenario``, let ``event`` happen, and return the result.

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


