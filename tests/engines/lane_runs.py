"""A run with lanes beside the run without, and all that can be seen of either machine afterwards."""

from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS

FEATURES = choose()


def state(run):
    """Return the complete observable state of a machine after a run, in the machine's own order."""
    machine = run.machine
    memory = machine.memory
    return {
        "entries": list(machine.entries.items()),
        "ever": list(machine.ever.items()),
        "notes": list(machine.notes.items()),
        "types": [repr(item) for kept in (machine.entries, machine.ever, machine.notes) for item in kept.items()],
        "pages": {frame: bytes(page) for frame, page in memory.pages.present.items()},
        "dirty": [(slot.gpa, slot.size, sorted(slot.dirty)) for slot in memory.slots],
        "vmm dirty": sorted(memory._vmm_dirty),
        "shared": sorted(memory._shared),
        "cpus": machine.cpus,
        "time": machine.now(),
        "counts": dict(run.counts),
        "boot counts": dict(run.boot_counts),
        "fates": list(run.fates.items()),
        "strays": run.strays,
    }


def both(make, event, vcpus, **circumstances):
    """Return the states after a run with lanes and after a run without; each run has its own protocol object."""
    ways = []
    for lanes_on in (True, False):
        scenario = Scenario(make(FEATURES), FEATURES, vcpus=vcpus, **circumstances)
        ways.append(state(simulate(scenario, EVENTS[event], lanes=lanes_on)))
    return ways
