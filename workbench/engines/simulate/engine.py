"""Simulates one event under one schedule: the guest boots, the event happens, and every access is counted.

Under this schedule each program runs to its end before the next one starts (``one_by_one``). Other interleavings are
left to the explorer; a protocol is never judged by this engine alone.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial

from workbench.checking.evidence import in_others_memory
from workbench.checking.ghosts import names_at
from workbench.core.address_map import Unit
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Enter, in_order
from workbench.core.machine import Access, Machine
from workbench.core.machine_transition import perform_on_machine
from workbench.core.outcome import Fate
from workbench.core.rules.unchanged import unchanged
from workbench.core.scenario import Scenario, retaken
from workbench.core.sent_memory import pages_of
from workbench.core.steps import Program, Side
from workbench.engines.simulate.fates import Area, all_fates
from workbench.engines.simulate.lanes import AtOnce
from workbench.engines.simulate.one_by_one import OneByOne
from workbench.engines.simulate.turns import VCPU_STEPS, ForEach, Turn, alike, in_turn, read_ahead


@dataclass(frozen=True)
class Run:
    """The result of one event: counts of the event alone, fates of all areas, the machine afterwards."""

    scenario: Scenario
    event: str
    counts: Counter[str]
    boot_counts: Counter[str]
    fates: dict[Area, Fate]
    strays: int  #: host writes to memory that was reassigned to another owner
    lost_bytes: int  #: bytes of guest memory that a migration in rounds has not brought along
    lost_pages: int  #: how many pages these lie in
    lost_in: tuple[str, ...]  #: what these bytes belong to: features, the descriptor
    machine: Machine
    trace: list[Access]


class Simulation(OneByOne):
    """A machine under one scenario, carrying out the steps of lifecycle events."""

    def __init__(self, scenario: Scenario, *, trace: bool = False, lanes: bool = True) -> None:
        machine = Machine(scenario.cpus, encrypted=scenario.encrypted, seed=scenario.seed, trace=trace)
        super().__init__(machine, scenario)
        self.in_turn = in_turn(machine)
        # With a trace, vCPUs run one by one: it lists each access of each vCPU.
        self.for_each: ForEach = AtOnce(machine, scenario.protocol) if lanes and not trace else self.in_turn
        for region in scenario.memslots():
            machine.memory.add(region.gpa, region.size)
        own = scenario.shared_from_start()
        if own.size:
            machine.memory.share(own.gpa, own.size, True)
        self.reassigned: set[Unit] = set()
        self.strayed: set[Area] = set()  # (owner, feature) of areas in reassigned memory
        self.strays = 0
        self.lost: list[int] = []  # gpas

    # -- steps of events -------------------------------------------------------------------------------

    def play(self, event_program: Program) -> None:
        """Carry out the steps of a lifecycle event, one after the other.

        Steps of vCPUs return nothing, so a run of them is read ahead, and equal ones may be carried out at once.
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
        """Carry out the turns of consecutive vCPUs, which differ only in the vCPU."""
        first = turns[0]
        watched = bool(self.reassigned) and any(type(step) is Enter for step in first)
        for_each = self.in_turn if watched else self.for_each
        for_each([turn[0].cpu for turn in turns], partial(self._take_turn, first))

    def _take_turn(self, turn: Turn, machine: Machine, cpu: int) -> None:
        world = OneByOne(machine, self.scenario)
        for step in turn:
            perform_on_machine(world, step._replace(cpu=cpu))
            if self.reassigned and type(step) is Enter:
                others = self._others()
                found = in_others_memory(self.scenario, machine.entries, cpu, others, machine.host_reaches)
                self.strayed.update(found)

    # -- what became of the areas ------------------------------------------------------------------------

    def reassign(self, unit: Unit) -> None:
        """From now on count host writes to this memory, which now has another owner."""
        self.reassigned.add(unit)
        if self.scenario.addresses.is_under(unit, self.machine.memory.covered()):
            self.strayed.add((unit.cpu, unit.what))  # a page of the host still hides what the new owner has there
        self.machine.on_host_store = self._watch

    def memory_arrived(self, lost: list[int], host_wrote: bool) -> None:
        """Remember the bytes that the destination has not got."""
        self.lost += lost

    def _others(self) -> set[Unit]:
        """Return the reassigned units that no kernel has taken back."""
        if not self.scenario.retakes:
            return self.reassigned
        return {unit for unit in self.reassigned if not self.machine.notes.get(retaken(unit))}

    def _watch(self, gpa: int, size: int, side: Side) -> None:
        unit = self.scenario.addresses.unit_at(gpa)
        if unit is not None and unit in self._others():
            self.strays += 1
            self.strayed.add((unit.cpu, unit.what))

    def fates(self) -> dict[Area, Fate]:
        """Return {(owner, feature): fate} for every area of the scenario."""
        return all_fates(self.scenario, self.strayed, self.for_each)


def simulate(scenario: Scenario, event: Event, *, trace: bool = False, lanes: bool = True) -> Run:
    """Boot the guest of ``scenario``, let ``event`` happen, and return the result.

    ``lanes=False`` runs every vCPU by itself; the result is the same, only later (docs/decisions/0003 says why).
    """
    scenario = event.adapt(scenario)
    with unchanged(scenario.protocol):
        simulation = Simulation(scenario, trace=trace, lanes=lanes)
        machine = simulation.machine
        simulation.play(event.setup(scenario))
        before = Counter(machine.counts)
        if machine.trace is not None:
            machine.trace.clear()
        simulation.play(event.happen(scenario))
        after = Counter(machine.counts)
        after.subtract(before)
        fates = simulation.fates()
    return Run(
        scenario,
        event.name,
        after,
        before,
        fates,
        simulation.strays,
        len(simulation.lost),
        pages_of(simulation.lost),
        names_at(scenario, simulation.lost),
        machine,
        machine.trace or [],
    )
